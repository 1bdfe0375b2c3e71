"""A study of robustness: attacks do what they say, and masked gradients are found out."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.robustness.attacks import (
    correct,
    fgsm,
    input_gradient,
    pgd,
    random_change,
)
from qvlm_qiskit.studies.robustness.cells import Cell, model_folder
from qvlm_qiskit.studies.robustness.network import Hybrid, HybridOptions
from qvlm_qiskit.studies.robustness.options import RobustnessOptions
from qvlm_qiskit.studies.robustness.study import RobustnessStudy
from qvlm_qiskit.studies.robustness.summary import summarise

OPTIONS = RobustnessOptions(
    variants=("quantum", "classical"), steps=60, train_samples=400, seeds=2, limit=40,
    epsilons=(0.1,), attack_steps=5, more_steps=10, learning_rate=0.02,
)  # fmt: skip
DIGITS = [str(digit) for digit in range(10)]


class Line(nn.Module):
    """Logits 0 and w·x: the best attack on it is known."""

    def __init__(self):
        super().__init__()
        self.w = torch.tensor([[2.0, -1.0, 0.5, 0.0]])

    def forward(self, images, labels=None):
        values = nn.functional.linear(images, self.w)
        logits = torch.cat([torch.zeros_like(values), values], -1)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"logits": logits, "loss": loss}


def test_attacks_on_a_line_are_the_best_there_are():
    images, labels = torch.full((2, 4), 0.5), torch.tensor([1, 0])
    signs = torch.tensor([[-1.0, 1.0, -1.0, 0.0], [1.0, -1.0, 1.0, 0.0]])
    torch.testing.assert_close(fgsm(Line(), images, labels, 0.1), images + 0.1 * signs)
    found = pgd(Line(), images, labels, 0.1, 20, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found[:, :3], (images + 0.1 * signs)[:, :3])


def test_no_attack_changes_a_pixel_by_more_or_leaves_the_range():
    torch.manual_seed(0)
    images, labels = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 0])
    draws = torch.Generator().manual_seed(1)
    for changed in (
        random_change(images, 0.3, draws),
        fgsm(Line(), images, labels, 0.3),
        pgd(Line(), images, labels, 0.3, 7, draws),
    ):
        assert (changed - images).abs().max() <= 0.3 + 1e-6
        assert 0 <= changed.min() and changed.max() <= 1


@pytest.mark.parametrize("kind", ["quantum", "classical", "frozen", "none"])
def test_gradients_of_pictures_go_through_the_block(kind):
    torch.manual_seed(0)
    model = Hybrid(HybridOptions(kind=kind), DIGITS).double()
    images, labels = torch.rand(3, 1, 8, 8).double(), torch.tensor([3, 1, 4])
    slope = input_gradient(model, images, labels)
    shift = torch.zeros_like(images)
    shift[1, 0, 2, 5] = 1e-4
    losses = [3 * model(images + sign * shift, labels)["loss"].item() for sign in (1, -1)]
    assert slope[1, 0, 2, 5] == pytest.approx((losses[0] - losses[1]) / 2e-4, abs=1e-5)
    assert (slope.flatten(1).abs().amax(1) > 0).all()


def test_models_of_one_seed_start_from_one_backbone_and_differ_by_no_parameter():
    made = {}
    for kind in ("quantum", "classical", "frozen", "none"):
        torch.manual_seed(5)
        made[kind] = Hybrid(HybridOptions(kind=kind), DIGITS)
    for model in made.values():
        for name in ("backbone.0.weight", "backbone.7.bias", "head.weight"):
            assert torch.equal(model.state_dict()[name], made["quantum"].state_dict()[name])
    counts = {kind: sum(p.numel() for p in model.parameters()) for kind, model in made.items()}
    assert counts["quantum"] == counts["classical"] == counts["frozen"] > counts["none"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return RobustnessStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "robustness")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_a_row_is_what_the_model_answers(study, results):
    row = next(r for r in results["rows"] if (r["variant"], r["seed"]) == ("quantum", 1))
    run = Run.open(model_folder(study.folder, Cell("quantum", 1)))
    model, samples = run.answering_model(), run.samples("test", 40)
    said = model.answers(samples)
    assert row["correct"] == sum(model.accepts(s, a) for s, a in zip(samples, said, strict=True))
    images, labels = model.inputs(samples)["images"], model.labels(samples)
    changed = fgsm(model, images, labels, 0.1)
    told = {one["attack"]: one["correct"] for one in row["attacks"]}
    assert told["fgsm"] == correct(model, changed, labels) < told["random"]
    assert set(told) == {"random", "fgsm", "pgd", "pgd-more", "from classical"}


def test_page_and_tables(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page and "Are gradients masked?" in page
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(one[i].lstrip(">")) for one in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80


def row(variant, seed, **right):
    attacks = [{"attack": n.replace("_", " "), "epsilon": 0.1, "correct": c}
               for n, c in right.items()]  # fmt: skip
    return {
        "variant": variant, "seed": seed, "total": 100, "correct": 90, "parameters": 1,
        "quantum_parameters": 1, "slope": 1.0, "without_slope": 0.0, "attacks": attacks,
    }  # fmt: skip


def test_a_masked_model_is_found_out():
    rows = [
        row("quantum", s, random=85, fgsm=80 + s, pgd=75, from_classical=30 + s) for s in (0, 1, 2)
    ]
    rows += [
        row("classical", s, random=85, fgsm=60, pgd=20 + s, from_quantum=50) for s in (0, 1, 2)
    ]
    found = summarise(rows)
    by = {
        (one["variant"], one["weaker"], one["stronger"]): one["result"] for one in found["checks"]
    }
    assert by["quantum", "from others", "pgd"] == "masked"
    assert by["quantum", "fgsm", "pgd"] == by["classical", "from others", "pgd"] == "ok"
    pgd_difference = next(d for d in found["differences"] if d["attack"] == "pgd")
    assert pgd_difference["difference"]["mean"] == pytest.approx(0.54)
    assert pgd_difference["says"] == "better"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"variants": ("quantumm",)}, UnknownNameError, "did you mean 'quantum'"),
        ({"epsilons": (0.1, 1.5)}, InputError, "epsilons must be at most 1, got 0.1,1.5"),
        ({"epsilons": (0.1, 0.1)}, InputError, "distinct"),
        ({"more_steps": 5}, InputError, "more than the 5 attack_steps"),
        ({"limit": 1}, InputError, "limit must be at least 2"),
    ],
)
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": "digits"}, "asks 5 questions"),
        ({"block": "quanvolution"}, "a block of features is needed"),
        ({"image_size": 10}, "multiple of 4"),
    ],
)
def test_what_can_not_be_built_is_refused_before_anything_is_written(change, says, tmp_path):
    with pytest.raises(InputError, match=says):
        run_study(RobustnessStudy(replace(OPTIONS, **change), tmp_path / "study"))
    assert not (tmp_path / "study").exists()
