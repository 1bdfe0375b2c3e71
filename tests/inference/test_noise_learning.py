"""Noise that is learned for a file: planned, bought once, and the rows that evaluations ask for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends import open_backend, open_noise
from qvlm_qiskit.backends.preflight.rehearse import AskedCircuit
from qvlm_qiskit.errors import BudgetError, InputError, MitigationError
from qvlm_qiskit.inference import plan_evaluation
from qvlm_qiskit.inference.noise_learning import (
    LearningTask,
    begin_learning,
    calibrated_noise,
    learn_noise,
    learned_layers,
)
from qvlm_qiskit.jobs import Budget, Recording, Worker
from qvlm_qiskit.jobs.ledger.runs import load_run, submissions_of
from tests.inference.small import SMALL

LEARNING = "pec(model=learned,samples=2,randomizations=2)"
MACHINE = "noisy:fake_torino"


def opened(mitigation=LEARNING, name=MACHINE, **options):
    return open_backend(name, shots=100, seed=1, mitigation=mitigation, **options)


@pytest.fixture
def task(tiny_run):
    return LearningTask.of("run", tiny_run.answering_model(), opened())


def learned(task, out, store, recording=None):
    recording = recording or Recording()
    run = begin_learning(task, out, store, recording)
    return learn_noise(task, store, run, recording)


def test_what_is_planned_is_bought_and_answers_later_evaluations(task, tiny_run, store, tmp_path):
    plan = task.forecast(store, Recording())
    backend, run = learned(task, tmp_path / "l.json", store)
    own = submissions_of(store, run)
    assert plan.executions == 54 * 2 * 512
    assert (len(own), sum(one.rows for one in own)) == (plan.jobs, plan.rows) == (1, 108)
    assert run.state == "done"
    assert [one["layer"] for one in run.result["layers"]] == list(map(str, task.layers))
    assert json.loads(json.dumps(learned_layers(backend))) == list(run.result["layers"])
    again = task.forecast(store, Recording())
    assert (again.known, again.jobs) == (plan.rows, 0)
    other = opened("readout+pea(samples=2,randomizations=2)")
    with_it, without = (
        plan_evaluation(tiny_run, other, SMALL, known).chosen for known in (store, None)
    )
    assert (with_it.known, without.known) == (plan.rows, 0)
    assert without.executions - with_it.executions == plan.executions


def test_the_file_is_dated_and_opens_a_machine(task, tmp_path, store):
    backend, _ = learned(task, tmp_path / "l.json", store)
    spec = task.described(backend)
    assert spec.snapshot.taken_utc > "2026"
    assert spec.snapshot.calibrated_utc == open_noise("fake_torino").snapshot.calibrated_utc
    ((name, pair),) = task.layers[0].gates
    assert name == "cz"
    places = {gate.qubits: dict(gate.rates) for gate in spec.gates if gate.rates}
    assert set(places) == {pair, pair[::-1]}
    assert {p[::-1]: rate for p, rate in places[pair].items()} == places[pair[::-1]]
    small = task.described(backend, only_learned=True)
    assert small.physical_qubits == pair
    small.save(tmp_path / "small.json")
    machine = open_backend(f"noisy:{tmp_path / 'small.json'}", precision=0)
    assert machine.num_qubits == 2


def test_stronger_noise_is_described_as_strong_as_it_was(tiny_run):
    task = LearningTask.of("run", tiny_run.answering_model(), opened(noise_scale=2.0))
    with pytest.raises(InputError, match="--only-learned"):
        task.check_description(only_learned=False)
    task.learner.learn(task.circuits)
    spec = task.described(task.backend, only_learned=True)
    whole = open_noise("fake_torino")
    for qubit, noise in zip(spec.physical_qubits, spec.qubits, strict=True):
        assert noise.p_meas1_prep0 == pytest.approx(2 * whole.qubits[qubit].p_meas1_prep0)
    stated = {gate.qubits: gate.error for gate in whole.gates if gate.name == "cz"}
    (gate,) = (gate for gate in spec.gates if gate.name == "cz" and gate.qubits == (0, 1))
    assert gate.infidelity == pytest.approx(2 * stated[tuple(spec.physical_qubits)], rel=0.3)


def test_formulas_on_top_of_a_device_are_left_to_what_is_learned():
    spec = calibrated_noise(opened(name=f"{MACHINE}+zz(0.05)+readout(0.01)"))
    assert spec.sources == ()
    assert spec.digest() == open_noise("fake_torino").digest()


@pytest.mark.parametrize(
    ("mitigation", "machine", "error", "says"),
    [
        ("readout", MACHINE, InputError, "learns no noise: take pea"),
        (LEARNING, "noisy:depolarizing(0.01)", InputError, "take noisy:<device>"),
        ("pea(learning=1000)", MACHINE, MitigationError, "learning=1,000 allows fewer"),
    ],
)
def test_what_can_not_be_learned_is_refused_first(mitigation, machine, error, says, tiny_run):
    with pytest.raises(error, match=says):
        LearningTask.of("run", tiny_run.answering_model(), opened(mitigation, machine))


def test_circuits_without_two_qubit_gates_are_refused(tiny_run, monkeypatch):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    block = AskedCircuit("one", circuit, ObservablesArray.coerce(["ZZ"]).reshape(-1, 1))
    monkeypatch.setattr("qvlm_qiskit.inference.noise_learning.blocks_of", lambda model: [block])
    with pytest.raises(InputError, match="no circuit of run has a two-qubit gate"):
        LearningTask.of("run", tiny_run.answering_model(), opened())


def test_a_budget_below_the_plan_buys_nothing(task, store, tmp_path):
    recording = Recording(budget=Budget(executions=50_000))
    with pytest.raises(BudgetError, match="learning the noise needs about 55,296 executions"):
        begin_learning(task, tmp_path / "l.json", store, recording)
    assert store.find() == []


@pytest.fixture
def interrupted(task, store, tmp_path, monkeypatch):
    """The run of a process that ended when its job was recorded."""
    run = begin_learning(task, tmp_path / "l.json", store, Recording())
    with monkeypatch.context() as patch:

        def ended(*arguments, **options):
            raise KeyboardInterrupt

        patch.setattr(Worker, "finish", ended)
        with pytest.raises(KeyboardInterrupt):
            learn_noise(task, store, run, Recording())
    assert len(store.find()) == 1
    return run


def test_an_interrupted_learning_goes_on_to_the_same_numbers(interrupted, task, store, tmp_path):
    run = begin_learning(task, tmp_path / "l.json", store, Recording())
    assert run.id == interrupted.id
    backend, done = learn_noise(task, store, run, Recording())
    assert (done.state, len(store.find())) == ("done", 1)
    task.learner.learn(task.circuits)
    straight = task.learner.known
    for layer, noise in next(
        layer.learner.known for layer in _layers(backend) if hasattr(layer, "learner")
    ).items():
        np.testing.assert_array_equal(noise.rates, straight[layer].rates)


def test_other_layers_and_another_calibration_are_not_mixed_with_what_was_begun(
    interrupted, task, store, tmp_path, monkeypatch
):
    out = tmp_path / "l.json"
    with monkeypatch.context() as patch:
        patch.setattr(
            task.learner, "device", replace(task.learner.device, calibration="2030-01-01")
        )
        with pytest.raises(InputError, match=r"noise of the calibration of 2025.*now: 2030"):
            begin_learning(task, out, store, Recording())
    with monkeypatch.context() as patch:
        patch.setitem(task.__dict__, "layers", ())
        with pytest.raises(InputError, match="learns other layers"):
            begin_learning(task, out, store, Recording())
    assert begin_learning(task, tmp_path / "other.json", store, Recording()).id != interrupted.id
    assert load_run(store, interrupted.id).state == "waiting"


def _layers(backend):
    from qvlm_qiskit.backends.pubs.stack import stack_of

    return stack_of(backend.estimator())
