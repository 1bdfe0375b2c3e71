"""A whole ablation, as small as it can be."""

from dataclasses import replace

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.ablation.learned import trajectories
from qvlm_qiskit.studies.ablation.options import VARIANTS, AblationOptions
from qvlm_qiskit.studies.ablation.study import AblationStudy
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.training import Subject

SMALL = AblationOptions(
    recipe="tiny", steps=2, batch_size=4, train_samples=8, limit=4, seeds=2, max_new_tokens=2,
    variants=("quantum,vision=none", "text=frozen,linear"), streams=2, rounds=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return AblationStudy(SMALL, tmp_path_factory.mktemp("studies") / "ablation")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_by_default_every_block_is_every_kind_over_five_seeds():
    options = AblationOptions()
    assert options.seeds == 5
    assert {f"{place}={kind}" for place in ("vision", "text")
            for kind in ("classical", "frozen", "none")} < set(VARIANTS)  # fmt: skip
    assert {"quantum", "classical", "frozen", "none", "linear", "cnn", "majority"} < set(VARIANTS)


def test_a_variant_is_what_it_says(study, results):
    blocks = Run.open(study.folder / "models" / "quantum-seed-0").model().config.blocks
    assert {place: options["kind"] for place, options in blocks.items()} == {
        "vision": "quantum", "text": "quantum",
    }  # fmt: skip
    (changed,) = study.folder.glob("models/vision-none-*-seed-1")
    config = Run.open(changed).model().config
    assert {p: o["kind"] for p, o in config.blocks.items()} == {"text": "quantum"}
    assert config.text_config.hc_mult == 2


def test_gates_are_those_of_the_trainings(study, results):
    gates = {(g["variant"], g["block"]): g for g in results["gates"]}
    assert set(gates) == {
        ("quantum", "qcnn"), ("quantum", "paqm"), ("vision=none", "paqm"),
        ("text=frozen", "qcnn"), ("text=frozen", "paqm"),
    }  # fmt: skip
    seeds = [
        Run.open(study.folder / "models" / f"quantum-seed-{seed}").history()["gate_paqm"][-1]
        for seed in (0, 1)
    ]
    found = gates["quantum", "paqm"]
    assert found["mean"][-1] == pytest.approx(sum(seeds) / 2)
    assert (found["low"][-1], found["high"][-1]) == (min(seeds), max(seeds))
    assert found["steps"] == [1.0, 2.0]


def test_a_comparison_and_what_parts_take_stand_beside(study, results):
    assert [d["what"] for d in results["differences"]] == [
        "quantum − vision=none", "quantum − text=frozen", "quantum − linear",
    ]  # fmt: skip
    assert set(results["profile"]["parts"]["quantum"]) >= {"mHC", "MoE", "whole step"}
    titles = [table.title.split(",")[0] for table in study.printed(results)]
    assert titles[-2:] == ["gates γ", "a step of 4 samples"]
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    for words in ("What each change of exact match is", "PAQM", "mHC", "What this does not show"):
        assert words in page


def test_blocks_that_train_have_the_same_number_of_parameters():
    counts = {
        variant: sum(
            p.numel() for p in Subject(SMALL.training(variant, 0)).build().module.parameters()
        )
        for variant in ("quantum", "classical", "vision=classical", "text=classical", "frozen")
    }
    assert len(set(counts.values())) == 1


def test_without_rounds_nothing_is_measured(tmp_path):
    options = replace(SMALL, rounds=0, variants=("linear",), seeds=1)
    found = run_study(AblationStudy(options, tmp_path / "study"))
    assert found["profile"] is None
    assert found["gates"] == trajectories(found["rows"]) == []


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"variants": ("vision=nothing",)}, UnknownNameError, "unknown kind of block 'nothing'"),
        ({"variants": ("txt=none",)}, UnknownNameError, "did you mean 'text'"),
        ({"streams": 0}, InputError, "streams must be 1"),
        ({"vision_attention": "mla"}, UnknownNameError, "unknown vision attention"),
        ({"rounds": -1}, InputError, "rounds must be at least 0"),
    ],
)
def test_what_makes_no_ablation_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(SMALL, **change)
