"""A whole study of kernels, as small as it can be."""

from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.kernels import QuantumKernel, concentration
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.kernels import classification, independence, regression
from qvlm_qiskit.studies.kernels.study import KernelStudy


@pytest.fixture(scope="module")
def study(small, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:  # one of each kind, and what they are compared with
        patch.setattr(classification, "MODELS", ("resource-efficient", "rbf", "rbf aligned"))
        patch.setattr(classification, "QUANTUM_SCALES", (0.1, 0.3))
        patch.setattr(classification, "GAUSSIAN_SCALES", (0.1, 0.3))
        patch.setattr(classification, "COSTS", (1.0, 10.0))
        patch.setattr(regression, "MODELS", ("qsvr resource-efficient", "rbf-svr"))
        patch.setattr(independence, "KERNELS", ("gaussian", "resource-efficient 2 x 0.5"))
        yield KernelStudy(small, tmp_path_factory.mktemp("studies") / "kernels")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_part_has_its_table(results):
    assert len(results["classification"]) == 3
    assert len(results["alignment"]) == 1
    assert len(results["concentration"]) == 4 * 3
    assert len(results["regression"]) == 2
    assert len(results["independence"]) == 4 * 2
    assert len(results["graphs"]) == 2


def test_differences_are_from_the_classical_twin(results):
    quantum, rbf, aligned = results["classification"][:3]
    assert quantum["against"] == "rbf" and rbf["difference"] is None
    assert aligned["difference"] is None
    away = quantum["accuracy"]["mean"] - rbf["accuracy"]["mean"]
    assert quantum["difference"]["mean"] == pytest.approx(away)
    svr, twin = results["regression"]
    assert svr["difference"]["r2"]["mean"] == pytest.approx(svr["r2"]["mean"] - twin["r2"]["mean"])
    assert twin["difference"] is None


def test_the_curve_is_that_of_the_kernel(results):
    (row,) = [
        one for one in results["rows"]
        if (one["model"], one["size"], one["seed"]) == ("resource-efficient x 0.25", 3, 1)
    ]  # fmt: skip
    points = np.random.default_rng([1, 3]).uniform(0, 2 * np.pi, (60, 6))
    found = concentration(QuantumKernel("resource-efficient", scale=0.25)(points))
    assert (row["mean"], row["variance"]) == (found.mean, found.variance)
    slopes = {one["model"]: one["mean"]["mean"] for one in results["rates"]}
    assert slopes["havlicek x 1"] < -0.3
    assert slopes["resource-efficient x 1"] < slopes["resource-efficient x 0.25"] < 0


def test_page_and_tables_say_it(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    for words in ("say that the kernel is computed rightly", "Concentration", "PC algorithm"):
        assert words in page
    titles = [table.title for table in study.printed(results)]
    assert len(titles) == 1 + 1 + 1 + 3
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80, table.title


def test_parts_can_be_left_out_and_added(study, results):
    fewer = KernelStudy(replace(study.options, parts=("concentration",)), study.folder)
    assert {fewer.key(cell) for cell in fewer.cells()} < {study.key(c) for c in study.cells()}
    found = run_study(fewer)
    assert found["classification"] == [] == found["graphs"]
    assert found["concentration"] == results["concentration"]
    other = KernelStudy(replace(study.options, points=40), study.folder)
    changed = {other.key(c) for c in other.cells()} - {study.key(c) for c in study.cells()}
    assert len(changed) == 2 * (3 + 2)  # points matter to classes and numbers alone


def test_unknown_sets_are_refused_before_anything_is_written(small, tmp_path):
    study = KernelStudy(replace(small, data=("digits:12-3",)), tmp_path / "study")
    with pytest.raises(UnknownNameError, match="unknown set of two classes 'digits:12-3'"):
        run_study(study)
    assert not study.folder.exists()
