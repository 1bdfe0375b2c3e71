"""Forms of observables and circuits that every estimator, gradient and layer takes."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    InverseModifier,
    Parameter,
    ParameterVector,
    PowerModifier,
)
from qiskit.circuit.library import CXGate, RYGate, SGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Operator, Pauli, SparseObservable, SparsePauliOp, Statevector
from qiskit_machine_learning.circuit.library import raw_feature_vector
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit import QuantumLayer, open_backend
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import BatchedEstimatorGradient, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.observables import as_pauli_sum

ANGLE = 0.7
EXACT = {
    "engine": lambda: TorchEstimator(dtype="complex128"),
    "density": lambda: open_backend("noisy:depolarizing(0)", precision=0).estimator(),
    "aer": lambda: open_backend("aer").estimator(),
}
OBSERVABLES = [
    SparseObservable.from_label("11"),
    SparseObservable.from_label("+l"),
    SparseObservable.from_list([("0r", 1.5), ("-Z", -0.5), ("II", 0.25)]),
    SparseObservable.from_label("IZ"),
    SparsePauliOp(["XI", "XI", "ZY"], [0.5 + 1j, 0.5 - 1j, 2.0]),
    Pauli("-XY"),
]


def entangled():
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.rx(0.4, 1)
    circuit.s(0)
    return circuit


def matrix(observable):
    if isinstance(observable, SparseObservable):
        return Operator(SparsePauliOp.from_sparse_observable(observable.as_paulis()))
    return Operator(observable)


def expected(circuit, observable, angle=ANGLE):
    state = Statevector(circuit.assign_parameters([angle]))
    return state.expectation_value(matrix(observable)).real


def slope(circuit, observable):
    return (
        expected(circuit, observable, ANGLE + 1e-5) - expected(circuit, observable, ANGLE - 1e-5)
    ) / 2e-5


@pytest.mark.parametrize("observable", OBSERVABLES, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_every_form_of_an_observable_is_estimated(name, observable):
    circuit = entangled()
    found = EXACT[name]().run([(circuit, observable, [ANGLE])]).result()[0].data.evs
    assert found == pytest.approx(expected(circuit, observable), abs=1e-9)


@pytest.mark.parametrize("observable", OBSERVABLES, ids=str)
@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
def test_every_form_of_an_observable_is_differentiated(method, observable):
    circuit = entangled()
    estimator = TorchEstimator(dtype="complex128")
    gradient = BatchedEstimatorGradient(estimator, method)
    found = gradient.run([circuit], [observable], [[ANGLE]]).result().gradients[0]
    assert found == pytest.approx([slope(circuit, observable)], abs=1e-6)


@pytest.mark.parametrize("observable", OBSERVABLES, ids=str)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_every_form_of_an_observable_is_a_layers_output(elsewhere, observable):
    circuit = entangled()
    network = make_qnn(circuit, list(circuit.parameters), [], [observable])
    layer = QuantumLayer(network)
    if elsewhere:
        layer.run_on(open_backend("aer"))
    angles = torch.tensor([[ANGLE]], dtype=torch.float64, requires_grad=not elsewhere)
    values = layer(angles)
    assert values.item() == pytest.approx(expected(circuit, observable), abs=1e-9)
    if not elsewhere:
        values.sum().backward()
        assert angles.grad.item() == pytest.approx(slope(circuit, observable), abs=1e-6)


def test_a_small_unit_is_no_zero_and_a_complex_sum_no_observable():
    assert as_pauli_sum(SparsePauliOp(["XZ"], [1e-30])) == SparsePauliOp(["XZ"], [1e-30])
    projector = Operator(np.diag([1.0, 0.0]))
    assert as_pauli_sum(projector).equiv(SparsePauliOp(["I", "Z"], [0.5, 0.5]))
    with pytest.raises(CircuitError, match="not Hermitian: X"):
        as_pauli_sum(SparsePauliOp(["X", "Z"], [1j, 1.0]))


def with_idle_bits():
    circuit = QuantumCircuit(2, 2)
    return circuit.compose(entangled())


def with_a_reset():
    circuit = entangled().copy_empty_like()
    circuit.reset(1)
    return circuit.compose(entangled())


def with_a_delay():
    circuit = entangled()
    circuit.delay(100, 1, unit="us")
    return circuit.compose(QuantumCircuit(2))


def annotated():
    circuit = entangled()
    angle = next(iter(circuit.parameters))
    circuit.append(AnnotatedOperation(RYGate(angle), [ControlModifier(1, 0)]), [0, 1])
    circuit.append(AnnotatedOperation(SGate(), [InverseModifier()]), [0])
    circuit.append(AnnotatedOperation(RYGate(0.2), [PowerModifier(3), InverseModifier()]), [1])
    circuit.append(AnnotatedOperation(CXGate(), [InverseModifier()]), [1, 0])
    return circuit


@pytest.mark.parametrize("make", [with_idle_bits, with_a_reset, with_a_delay, annotated])
@pytest.mark.parametrize("name", EXACT)
def test_every_form_of_a_circuit_is_estimated(name, make):
    circuit = make()
    pub = (circuit, ["XY", "ZI"], [ANGLE])
    wanted = StatevectorEstimator().run([pub]).result()[0].data.evs
    assert EXACT[name]().run([pub]).result()[0].data.evs == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("make", [with_idle_bits, with_a_delay, annotated])
@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
def test_every_form_of_a_circuit_is_differentiated(method, make):
    circuit, observable = make(), SparsePauliOp("ZI")
    bare = circuit.remove_final_measurements(inplace=False)
    gradient = BatchedEstimatorGradient(TorchEstimator(dtype="complex128"), method)
    found = gradient.run([circuit], [observable], [[ANGLE]]).result().gradients[0]
    values = [
        StatevectorEstimator().run([(bare, observable, [a])]).result()[0].data.evs
        for a in (ANGLE + 1e-5, ANGLE - 1e-5)
    ]
    assert found == pytest.approx([(values[0] - values[1]) / 2e-5], abs=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_feature_vectors_are_bound_in_a_networks_forward_pass(name):
    features, weights = raw_feature_vector(4), ParameterVector("w", 2)
    circuit = features.compose(QuantumCircuit(2))
    circuit.ry(weights[0], 0)
    circuit.ry(weights[1], 1)
    inputs = np.random.default_rng(0).normal(size=(3, 4))
    wanted = []
    for row in inputs:
        state = Statevector(row / np.linalg.norm(row))
        rest = QuantumCircuit(2)
        rest.ry(0.1, 0)
        rest.ry(0.2, 1)
        wanted.append(state.evolve(rest).expectation_value(Pauli("ZI")).real)
    network = EstimatorQNN(
        circuit=circuit,
        estimator=EXACT[name](),
        observables=[SparsePauliOp("ZI")],
        input_params=list(features.parameters),
        weight_params=list(weights),
        default_precision=0.0,
    )
    assert network.forward(inputs, [0.1, 0.2]).ravel() == pytest.approx(wanted, abs=1e-9)
    layer = QuantumLayer(network, [0.1, 0.2])
    values = layer(torch.tensor(inputs))
    assert values.detach().numpy().ravel() == pytest.approx(wanted, abs=1e-6)
    values.sum().backward()
    assert torch.isfinite(layer.weight.grad).all()
