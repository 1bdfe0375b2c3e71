"""Pictures as amplitudes, a circuit, a classifier: values, twins, training, other machines."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.cli import main
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.inference.preflight import preflight_evaluation
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.models.diagnostic import Diagnostic, DiagnosticOptions
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train

SIDES = {"left": np.s_[:, :4], "right": np.s_[:, 4:], "top": np.s_[:4]}
QUESTION = "where?"


def picture(side, random):
    levels = random.integers(0, 80, (8, 8))
    levels[SIDES[side]] += 150
    return Image.fromarray(levels.astype(np.uint8))


def samples(count=9):
    random = np.random.default_rng(0)
    sides = list(itertools.islice(itertools.cycle(SIDES), count))
    return [Sample(picture(side, random), "x", QUESTION, side) for side in sides]


def model(given=None, **options):
    torch.manual_seed(0)
    given = samples() if given is None else given
    return Diagnostic(DiagnosticOptions(**options), **Diagnostic.learn(given)).eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place, random = tmp_path_factory.mktemp("sides"), np.random.default_rng(1)
    for split, count in {"train": 12, "test": 4}.items():
        for side in SIDES:
            (place / split / side).mkdir(parents=True)
            for i in range(count):
                picture(side, random).save(place / split / side / f"{i}.png")
    return f"folder:{place}"


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    options = TrainingOptions(
        model="diagnostic(num_qubits=4)", data=data, steps=80, batch_size=12, learning_rate=0.1,
        train_samples=36,
    )  # fmt: skip
    return train(options, tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize(
    ("ansatz", "read"), list(itertools.product(["mixed", "source"], ["zz", "z"]))
)
def test_logits_are_those_of_qiskits_statevector(ansatz, read):
    """From grey levels over amplitudes, without the encoding's circuit, to the linear map."""
    made, given = model(ansatz=ansatz, read=read), samples(2)
    network = made.circuit.core.layer.neural_network
    order = [*network.input_params, *network.weight_params]
    weights = made.circuit.core.layer.weight.tolist()
    values = dict(zip(order, [0.0] * 63 + weights, strict=True))
    behind = network.circuit.copy_empty_like()
    for each in network.circuit.data[1:]:
        behind.append(each)
    behind = behind.assign_parameters({p: values[p] for p in behind.parameters})
    logits = made(**made.inputs(given))["logits"].detach().numpy()
    for row, sample in zip(logits, given, strict=True):
        amplitudes = np.asarray(sample.image, dtype=float).ravel()
        state = Statevector(amplitudes / np.linalg.norm(amplitudes)).evolve(behind)
        seen = [state.expectation_value(SparsePauliOp(o)).real for o in network.observables]
        assert len(seen) == (21 if read == "zz" else 6)
        head = made.head.weight.detach().numpy() @ seen + made.head.bias.detach().numpy()
        np.testing.assert_allclose(row, head, atol=1e-5)


def test_a_black_picture_is_answered_as_a_uniform_one():
    made = model()
    shades = [Sample(Image.new("L", (5, 9), level), "x", QUESTION, "left") for level in (0, 7, 255)]
    logits = made(**made.inputs(shades))["logits"]
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits, logits[:1].expand(3, -1))
    loss = made(**made.inputs(shades), labels=made.labels(shades))["loss"]
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.requires_grad)


def test_twin_and_frozen_circuit_have_as_many_parameters():
    kinds = {kind: model(kind=kind) for kind in ("quantum", "classical", "frozen")}
    assert len({sum(p.numel() for p in one.parameters()) for one in kinds.values()}) == 1
    assert {k: len(one.quantum_layers) for k, one in kinds.items()} == {
        "quantum": 1, "classical": 0, "frozen": 1,
    }  # fmt: skip
    given = samples(3)
    for kind, one in kinds.items():
        one(**one.inputs(given), labels=one.labels(given))["loss"].backward()
        core = next(one.circuit.core.parameters())
        assert core.requires_grad == (kind != "frozen")
        assert (core.grad is not None and core.grad.abs().max() > 0) == (kind != "frozen")


def test_words_of_the_question_are_seen_where_the_data_asks_more_than_one():
    asked = [Sample(s.image, "x", q, s.answer) for s in samples(3) for q in ("where?", "which?")]
    made = model(asked)
    assert made.words == ["where", "which"]
    assert made.head.in_features == 21 + 2
    found = made(**made.inputs(asked[:2]))["logits"]
    assert not torch.equal(found[0], found[1])


def test_it_learns_and_is_opened_again(run):
    found, test = run.answering_model(), run.samples("test", 12)
    result = evaluate_exam(Exam(found, test))
    assert result.accuracy.value >= 0.9
    assert Run.open(run.path).answering_model().answers(test) == found.answers(test)
    assert run.info["quantum_parameters"] == 24


def test_a_twin_and_a_frozen_circuit_are_trained_too(data, tmp_path):
    for kind in ("classical", "frozen"):
        options = TrainingOptions(
            model=f"diagnostic(num_qubits=4,kind={kind})", data=data, steps=60, batch_size=12,
            learning_rate=0.1, train_samples=36,
        )  # fmt: skip
        found = train(options, tmp_path / kind)
        result = evaluate_exam(Exam(found.answering_model(), found.samples("test", 12)))
        assert result.accuracy.value > 0.6


def test_it_is_answered_under_noise_and_priced(run):
    found, test = run.answering_model(), run.samples("test", 3)
    backend = open_backend("noisy:fake_manila", shots=500)
    report, _ = preflight_evaluation(Exam(found, test), backend, mitigations=["none", "zne"])
    assert (report.rows, report.calls) == (3, 1)
    assert not any(block.refused for block in report.blocks)
    with found.run_on(backend):
        assert set(found.answers(test)) <= set(SIDES)


def test_where_rows_are_bought_pixels_become_angles_in_double(run):
    found, seen = run.answering_model(), []
    given = found.inputs(run.samples("test", 2))
    found.circuit.core.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    plain = found(**given)["logits"]
    with asked_once(found), torch.no_grad():
        bought = found(**given)["logits"]
    assert seen == [torch.float32, torch.float64]
    torch.testing.assert_close(bought, plain.detach(), atol=1e-4, rtol=1e-4)


def test_it_is_submitted(run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    words = ["--backend", "noisy:fake_manila", "--shots", "50", "--limit", "3", "--store", "ledger"]
    assert main(["submit", str(run.path), *words]) == 0
    assert "3 rows by 1 jobs" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"kind": "linear"}, UnknownNameError, "unknown kind of a diagnostic model 'linear'"),
        ({"read": "x"}, UnknownNameError, "read of a projection"),
        ({"num_qubits": 0}, InputError, "num_qubits is a whole number from 1 to 24"),
    ],
)
def test_what_can_not_be_built_is_refused(options, error, says):
    with pytest.raises(error, match=says):
        DiagnosticOptions(**options)
