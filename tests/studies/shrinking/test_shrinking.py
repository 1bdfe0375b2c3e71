"""A whole study of shrinking, as small as it can be."""

from dataclasses import replace

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.shrinking import cells
from qvlm_qiskit.studies.shrinking.options import ShrinkingOptions
from qvlm_qiskit.studies.shrinking.study import ShrinkingStudy
from tests.studies.sectioned import check_report

OPTIONS = ShrinkingOptions(
    nodes=5, items=3, workers=2, seeds=2, steps=5, starts=2, left=2, samples=10
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ShrinkingStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "shrinking")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_method_answers_every_problem(results):
    names = ["greedy", "random", "QAOA", "shrinking", "by couplings"]
    assert len(results["rows"]) == 6
    for row in results["rows"]:
        assert list(row["methods"]) == names
        for found in row["methods"].values():
            assert 0 < found["ratio"] <= 1
            assert found["unrepaired"] <= found["ratio"]
            assert found["optimal"] == (found["ratio"] == 1)
        assert row["methods"]["QAOA"]["circuits"] == 2 * 6
        assert row["methods"]["shrinking"]["circuits"] % 12 == 0
        assert row["methods"]["greedy"]["feasible"] == 1


def test_a_row_can_be_computed_again(study, results):
    row = results["rows"][2]
    again = cells.compute(study.cells()[2], OPTIONS)
    assert again == {name: row[name] for name in again}


def test_differences_are_paired_by_problem(results):
    own = [row for row in results["rows"] if row["problem"] == "knapsack"]
    wanted = sum(r["methods"]["greedy"]["ratio"] - r["methods"]["QAOA"]["ratio"] for r in own) / 2
    (found,) = [
        one for one in results["differences"]
        if (one["problem"], one["method"]) == ("knapsack", "greedy")
    ]  # fmt: skip
    assert found["ratio"]["mean"] == pytest.approx(wanted)


def test_page_and_tables_say_it(study, results):
    check_report(study, results)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (4, r"less than the 4 variables of knapsack 0, so that some are merged; got 4"),
        (5, r"less than the 5 variables of independent-set 0"),
    ],
)
def test_a_study_that_merges_nothing_is_refused_and_leaves_no_folder(tmp_path, left, says):
    study = ShrinkingStudy(replace(OPTIONS, left=left), tmp_path / "s")
    with pytest.raises(InputError, match=says):
        run_study(study)
    assert not study.folder.exists()


@pytest.mark.parametrize("quick", [True, False])
def test_by_default_something_is_merged_in_every_problem(quick):
    options = ShrinkingOptions(quick=quick)
    cells.check_left(cells.all_cells(options), options)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"problems": ("knapsak",)}, UnknownNameError, "did you mean 'knapsack'"),
        ({"problems": ()}, InputError, "problems must be distinct"),
        ({"nodes": 17}, InputError, "nodes must be at most 16"),
        ({"workers": 5}, InputError, "workers must be at most 4"),
        ({"left": 0}, InputError, "left must be at least 1"),
    ],
)
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)
