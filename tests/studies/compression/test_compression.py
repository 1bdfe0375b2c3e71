"""A whole study of compression, as small as it can be."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.compression import cells, language
from qvlm_qiskit.studies.compression.low_rank import rank_of, truncate
from qvlm_qiskit.studies.compression.options import CompressionOptions
from qvlm_qiskit.studies.compression.study import CompressionStudy
from qvlm_qiskit.studies.compression.texts import texts, windows
from qvlm_qiskit.studies.grid_study import run_study
from tests.studies.sectioned import check_report

OPTIONS = CompressionOptions(
    language="tiny", bonds=(2, 64), healing=(0, 3), seeds=2, windows=4, length=16, batch=2
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    before, language.STEPS = language.STEPS, 30
    yield CompressionStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "compression")
    language.STEPS = before


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def one_of(results, method, bond, seed=0):
    (row,) = [
        r for r in results["rows"]
        if (r["method"], r["bond"], r["seed"]) == (method, bond, seed)
    ]  # fmt: skip
    return row


def test_text_that_is_held_out_is_not_trained_on(tmp_path):
    train, held_out = texts(None)
    assert len(train) > 20_000 and len(held_out) > 3_000
    assert "Labeled Faces in the Wild" in held_out and "Labeled Faces in the Wild" not in train
    path = tmp_path / "own.txt"
    path.write_text("0123456789")
    assert texts(path) == ("01234567", "89")


def test_windows_have_all_tokens_but_the_last_ones():
    rows = windows("abcdefgh", lambda text: [ord(c) for c in text], 3)
    assert rows.tolist() == [[97, 98, 99], [100, 101, 102]]
    with pytest.raises(InputError, match="a text of 2 tokens has no window of 3"):
        windows("ab", lambda text: [ord(c) for c in text], 3)


@pytest.mark.parametrize("bias", [True, False])
def test_low_rank_is_the_truncated_decomposition(bias):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8, bias=bias))
    layer, values = net[0], torch.linalg.svdvals(net[0].weight.detach())
    x = torch.randn(3, 6)
    wanted = net(x)
    assert rank_of(30, layer) == 2 and rank_of(3, layer) == 1
    errors = truncate(net, {"0": 2})
    assert errors["0"] == pytest.approx(float(values[2:].norm() / values.norm()))
    again = nn.Sequential(layer)
    truncate(again, {"0": 6})
    assert torch.allclose(again(x), wanted, atol=1e-5)


def test_full_bond_is_the_same_model(results):
    whole, full = one_of(results, "whole", 0), one_of(results, "matrix product", 64)
    assert full["error"] < 1e-5
    assert full["losses"]["0"] == pytest.approx(whole["losses"]["0"], abs=1e-4)
    assert full["after"] > whole["after"]


def test_sizes_are_counted_and_low_rank_has_no_more(results):
    whole, small, low = (
        one_of(results, *place) for place in (("whole", 0), ("matrix product", 2), ("low rank", 2))
    )
    assert whole["share"] == whole["layer_share"] == 1
    assert low["after"] <= small["after"] < whole["after"]
    per_layer = 2 * (64 + 128)
    layers = 6 * 64 * 128
    assert small["layer_share"] == pytest.approx(6 * per_layer / layers)
    assert small["after"] == whole["after"] - layers + 6 * per_layer
    assert 0 < small["error"] < 1 and small["losses"]["0"] > whole["losses"]["0"]


def test_healing_trains_the_compressed_layers_alone(study, results):
    model, _ = language.open_language(OPTIONS, study.folder)
    model.requires_grad_(False)
    names = cells._names(model, OPTIONS)
    assert len(names) == 6 and all(".mlp." in name for name in names)
    for row in results["rows"]:
        assert row["losses"]["3"] != row["losses"]["0"]
    one, other = (one_of(results, "low rank", 2, seed)["losses"] for seed in (0, 1))
    assert one["0"] == other["0"] and one["3"] != other["3"]


def test_a_row_can_be_computed_again(study, results):
    row = results["rows"][2]
    again = cells.compute(study.cells()[2], OPTIONS, study.folder)
    assert again == {name: row[name] for name in again}
    assert study.missing_models() == ()


def test_differences_are_paired_by_seed(results):
    wanted = sum(
        one_of(results, "matrix product", 2, s)["losses"]["3"]
        - one_of(results, "low rank", 2, s)["losses"]["3"]
        for s in (0, 1)
    )  # fmt: skip
    (found,) = [
        one for one in results["differences"] if (one["bond"], one["steps"]) == (2, 3)
    ]  # fmt: skip
    assert found["loss"]["mean"] == pytest.approx(wanted / 2)


def test_page_and_tables_say_it(study, results):
    check_report(study, results)


def test_unknown_layers_are_refused_with_those_that_there_are(study, results):
    options = replace(OPTIONS, targets=("down_projection",))
    with pytest.raises(UnknownNameError, match="down_proj"):
        cells.compute(cells.Cell("matrix product", 2, 0), options, study.folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bonds": (0,)}, "bonds must be at least 1"),
        ({"healing": (0, 0)}, "healing must be distinct"),
        ({"targets": ()}, "targets must be distinct"),
        ({"cores": 1}, "cores must be at least 2"),
    ],
)
def test_what_makes_no_study_is_refused(change, says):
    with pytest.raises(InputError, match=says):
        replace(OPTIONS, **change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"length": 100_000}, "tokens has no window of 100000"),
        ({"length": 64}, "a text of 60 tokens has no window of 64"),
        ({"targets": ("down_projection",)}, "unknown linear layer 'down_projection'"),
    ],
)
def test_what_the_model_and_the_text_do_not_have_is_refused_and_leaves_no_folder(
    tmp_path, change, says
):
    text = tmp_path / "own.txt"
    text.write_text("x" * 300)
    study = CompressionStudy(replace(OPTIONS, text=text, **change), tmp_path / "s")
    with pytest.raises(InputError, match=says):
        run_study(study)
    assert not study.folder.exists()


def test_a_text_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no text file"):
        replace(OPTIONS, text=tmp_path / "none.txt")


def test_quick_takes_the_small_model():
    options = CompressionOptions(quick=True)
    assert (options.language, options.bonds) == ("tiny", (4, 8, 16))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="can't read the text"):
        texts(tmp_path / "picture.png")
