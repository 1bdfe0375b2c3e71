"""Executions, shots and seconds that a mitigation is said to need, and those that it needs."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import Backend, BackendOptions, Compiler, open_backend
from qvlm_qiskit.backends.preflight.costs import level_report
from qvlm_qiskit.backends.pubs.work import Call

WRAPPED = ("none", "readout", "zne", "readout+zne")
LEARNING = ("cdr", "learned-zne", "readout+cdr(circuits=5)")
SAMPLING = ("twirling(randomizations=3)", "pec(samples=5)", "readout+twirling+zne")
LONG = ("learned-zne", "readout+twirling+zne")
COUNTED = [
    pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
    for name in (*LEARNING, *SAMPLING)
]


@pytest.mark.parametrize("mitigation", COUNTED)
def test_training_and_random_circuits_are_counted(mitigation, executed, make_circuit, values_for):
    circuit = make_circuit(layers=2)
    pub = (circuit, [["ZII"], ["IZI"], ["ZZZ"]], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=40, mitigation=mitigation, seed=1, method="aer"
    )
    calls = [Call((EstimatorPub.coerce(pub),), "mine")]
    level = level_report(mitigation, backend, calls)
    assert not executed
    result = backend.estimator().run([pub]).result()[0]
    metadata = result.metadata
    assert level.executions == executed["executions"] > 0
    assert level.calibration_executions == metadata["calibration_executions"]
    assert level.executions == metadata["executions"] + metadata["calibration_executions"]
    assert level.circuits == metadata["circuits"] + metadata["calibration_circuits"]
    assert (level.calibration_executions > 0) == (mitigation in LEARNING or "readout" in mitigation)
    again = level_report(mitigation, backend, calls)
    assert again.executions == metadata["executions"]
    overhead = metadata["mitigation"][-1]["overhead"]
    plain = 3 * 40 * np.prod([entry["overhead"] for entry in metadata["mitigation"][:-1]])
    assert overhead == pytest.approx(metadata["executions"] / plain)


def test_what_auto_will_run_is_bounded(executed, make_circuit, values_for):
    circuit = make_circuit(layers=2)
    pub = (circuit, [["ZII"], ["IZI"], ["ZZZ"]], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=40, mitigation="auto", budget=60_000, seed=1, method="aer"
    )
    calls = [Call((EstimatorPub.coerce(pub),), "mine")]
    level = level_report("auto", backend, calls)
    assert level.at_most
    metadata = backend.estimator().run([pub]).result()[0].metadata
    assert 0 < executed["executions"] <= level.executions
    spent = metadata["executions"] + metadata["calibration_executions"]
    assert spent == executed["executions"]
    assert metadata["calibration_executions"] <= 60_000
    again = level_report("auto", backend, calls)
    assert (again.executions, again.calibration_executions) == (metadata["executions"], 0)


@pytest.mark.parametrize("mitigation", WRAPPED)
def test_pairs_of_rows_and_observables_are_counted_as_pairs(
    mitigation, executed, make_circuit, values_for
):
    circuit = make_circuit()
    pub = (circuit, ["ZII", "XII", "YII"], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=30, mitigation=mitigation, seed=1, method="aer"
    )
    level = level_report(mitigation, backend, [Call((EstimatorPub.coerce(pub),), "mine")])
    backend.estimator().run([pub]).result()
    assert level.executions == executed["executions"] > 0


def test_seconds_are_those_of_the_documented_formula():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    backend = open_backend("noisy:fake_manila", shots=1000)
    report = backend.preflight({"x": (circuit, ["Z"])}, 5, mitigations=["none"])
    duration = report.blocks[0].duration_us * 1e-6
    assert report.levels[0].seconds_qpu == pytest.approx(2 + 5000 * (duration + 250e-6))
    assert (
        open_backend("noisy:depolarizing(0.01)")
        .preflight({"x": (circuit, ["Z"])})
        .levels[0]
        .seconds_qpu
        is None
    )


def test_the_work_of_every_block_is_said():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    subject = {"a": (circuit, ["ZZ"]), "b": (circuit, ["ZZ", "XX"])}
    backend = open_backend("noisy:fake_manila", shots=100, mitigation="readout")
    work = backend.preflight(subject, 3).levels[0].work
    counted = {(w.block, w.calibration, w.shots): w.circuits for w in work}
    # the second block is calibrated already: the same qubits are measured
    assert counted == {("a", False, 100): 3, ("a", True, 10_000): 2, ("b", False, 100): 6}


def test_shots_for_a_precision_contain_the_amplification():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    backend = open_backend("noisy:fake_manila", precision=0.02)
    levels = {v.mitigation: v for v in backend.preflight({"c": (circuit, ["ZZ", "IZ"])}).levels}
    assert levels["none"].shots_for_precision == 2500
    layout = backend.compile(circuit, ["ZZ"]).layout
    errors = [FakeManilaV2().target["measure"][(q,)].error for q in layout]
    gain = math.prod(1 / (1 - 2 * e) for e in errors)
    assert levels["readout"].shots_for_precision == math.ceil((gain / 0.02) ** 2)
    # linear extrapolation from 1, 3, 5 to 0: weights 13/12, 1/3, -5/12
    zne = math.sqrt((13 / 12) ** 2 + (1 / 3) ** 2 + (5 / 12) ** 2)
    assert levels["zne"].shots_for_precision == pytest.approx((zne / 0.02) ** 2, abs=1)
    both = levels["readout+zne"].shots_for_precision
    assert both == pytest.approx((zne * gain / 0.02) ** 2, abs=1)
    doubled = backend.preflight({"c": (circuit, ["ZZ"])}, mitigations=["none"])
    from qiskit.quantum_info import SparsePauliOp

    weighted = SparsePauliOp(["ZZ", "IZ", "II"], [1.0, -2.0, 7.0])
    heavy = backend.preflight({"c": (circuit, [weighted])}, mitigations=["none"])
    assert heavy.levels[0].shots_for_precision == 9 * doubled.levels[0].shots_for_precision


def test_a_device_that_says_nothing_is_refused_and_not_guessed():
    target = FakeManilaV2().target
    backend = Backend(
        "mine", "simulated shots", 5, BackendOptions(), StatevectorEstimator(), Compiler(target)
    )
    circuit = QuantumCircuit(1)
    (level,) = backend.preflight({"c": (circuit, ["Z"])}).levels
    assert "StatevectorEstimator doesn't say beforehand" in level.refused
