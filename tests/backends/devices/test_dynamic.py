"""Circuits that measure in their middle: machines that run them, and what the others say."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit import QuantumLayer, TorchEstimator, open_backend
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.recording import recorded_backend
from qvlm_qiskit.quantum import make_qnn

OBSERVABLES = [SparsePauliOp("ZI"), SparsePauliOp("XZ"), SparsePauliOp("IX")]
SHOTS = 400
CLOSE = 5 / np.sqrt(SHOTS)
DEVICE = "noisy:fake_manila"
RUN = [("aer", {}), (DEVICE, {"noise_scale": 0.0}), (DEVICE, {"noise_scale": 0.0, "method": "aer"})]
REFUSED = [
    ("aer", {}), (DEVICE, {"precision": 0}), (DEVICE, {"shots": 10, "method": "density"}),
    (DEVICE, {"shots": 10, "mitigation": "readout"}), ("fake_manila", {"shots": 10}),
    ("noisy:depolarizing(0.1)", {"shots": 10}), (f"{DEVICE}+zz(0.02)", {"shots": 10}),
]  # fmt: skip


def decided():
    """A measurement decides on a rotation, whose outcome decides again."""
    x, w = Parameter("x"), ParameterVector("w", 2)
    circuit = QuantumCircuit(2, 2)
    circuit.ry(x, 0)
    circuit.cx(0, 1)
    circuit.measure(0, 1)
    with circuit.if_test((circuit.clbits[1], 1)) as otherwise:
        circuit.ry(w[0], 1)
    with otherwise:
        circuit.rx(w[1], 1)
    circuit.reset(0)
    circuit.ry(w[1], 0)
    return circuit, [x], [*w]


def layer():
    circuit, inputs, weights = decided()
    return QuantumLayer(make_qnn(circuit, inputs, weights, OBSERVABLES), [0.7, -1.1])


@pytest.mark.parametrize(("name", "options"), RUN)
def test_values_and_gradients_are_those_of_the_exact_engine(name, options):
    one, rows = layer(), torch.tensor([[0.4], [1.9]])

    def found():
        one.zero_grad()
        inputs = rows.clone().requires_grad_()
        values = one(inputs)
        values.sum().backward()
        return values.detach(), inputs.grad, one.weight.grad

    exact = found()
    one.run_on(open_backend(name, shots=SHOTS, seed=1, **options), gradient="param_shift")
    for mine, expected in zip(found(), exact, strict=True):
        torch.testing.assert_close(mine, expected, atol=3 * CLOSE, rtol=0)


def test_noise_reaches_what_is_decided():
    circuit, *_ = decided()
    pub = (circuit, OBSERVABLES, [0.0, 0.0, 0.0])
    noisy = open_backend(DEVICE, shots=SHOTS, seed=1, noise_scale=3.0).estimator()
    assert noisy.run([pub]).result()[0].data.evs[0] < 0.95
    assert TorchEstimator().run([pub]).result()[0].data.evs[0] == pytest.approx(1)


@pytest.mark.parametrize(("name", "options"), REFUSED)
def test_the_others_say_in_one_line_where_it_runs(name, options):
    circuit, *_ = decided()
    with pytest.raises(CircuitError, match="'aer'") as error:
        open_backend(name, **options).estimator().run([(circuit, "ZI", [0.1] * 3)]).result()
    assert "\n" not in str(error.value)


def test_a_measurement_at_the_end_is_the_estimators_business():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    with pytest.raises(CircuitError, match="remove_final_measurements"):
        open_backend("aer", shots=10).estimator().run([(circuit, "Z")])


def test_a_preflight_counts_it_and_a_ledger_keeps_it(tmp_path):
    backend, one = open_backend("aer", shots=50, seed=3), layer()
    circuit, *_ = decided()
    report = backend.preflight(one)
    assert report.blocks[0].refused is None
    store = JobStore(tmp_path / "jobs")
    pub = (circuit, [[o] for o in OBSERVABLES], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    answers = [
        recorded_backend(backend, store).estimator().run([pub]).result()[0].data.evs
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*answers)
    assert len(store.find()) == 1
    store.close()
