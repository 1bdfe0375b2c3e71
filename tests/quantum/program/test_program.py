import numpy as np
import pytest
import qiskit_aer  # noqa: F401  (gives circuits their save_statevector)
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.classical import expr
from qiskit.circuit.library import HamiltonianGate, RXGate
from qiskit.quantum_info import Kraus, SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.basics.memory import state_qubits
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    BatchedEstimatorGradient,
    QuantumLayer,
    TorchEstimator,
)
from qvlm_qiskit.quantum.gradients.adjoint import AdjointSweep
from qvlm_qiskit.quantum.program.program import (
    AmplitudeLoad,
    FixedUnitary,
    PauliRotation,
    compile_circuit,
)
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

X = Parameter("x")


def while_looped(circuit):
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(0)


def stored(circuit):
    circuit.store(circuit.add_var("v", expr.lift(False)), expr.lift(True))


def saved(circuit):
    circuit.save_statevector()


def channel(circuit):
    circuit.append(Kraus([np.eye(2) * 0.6, np.diag([0.8, -0.8])]), [0])


# the name that the error must give → what puts such an instruction into a circuit
NOT_UNITARY = [
    ("while_loop", while_looped),
    ("store", stored),
    ("kraus", channel),
    ("save_statevector", saved),
]


def ways_to_run(circuit):
    """The program, the estimator, and a layer in both directions."""
    yield lambda: compile_circuit(circuit)
    yield TorchEstimator().run([(circuit, "ZZ", [0.1])]).result
    network = EstimatorQNN(
        circuit=circuit, input_params=[X], estimator=TorchEstimator(), input_gradients=True
    )
    yield lambda: QuantumLayer(network)(torch.zeros(1, 1))
    gradient = BatchedEstimatorGradient(TorchEstimator(), "adjoint")
    yield gradient.run([circuit], [SparsePauliOp("ZZ")], [[0.1]]).result


@pytest.mark.parametrize(("name", "spoil"), NOT_UNITARY, ids=lambda p: getattr(p, "__name__", ""))
def test_instructions_that_are_not_unitary_raise_by_name(name, spoil):
    circuit = QuantumCircuit(2, 1)
    circuit.ry(X, 0)
    spoil(circuit)
    for run in ways_to_run(circuit):
        with pytest.raises(CircuitError, match=f"instruction '{name}'"):
            run()


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("mystery", Gate("mystery", 1, [])),
        ("mystery", Gate("mystery", 1, [X])),
    ],
)
def test_gates_that_cannot_be_taken_apart_raise_by_name(name, gate):
    circuit = QuantumCircuit(2)
    circuit.ry(X, 0)
    circuit.append(gate, [0])
    for run in ways_to_run(circuit):
        with pytest.raises(CircuitError, match=f"gate '{name}'"):
            run()
    if gate.params:
        shifts = BatchedEstimatorGradient(TorchEstimator())
        with pytest.raises(CircuitError, match=f"'{name}'"):
            shifts.run([circuit], [SparsePauliOp("ZZ")], [[0.1]]).result()


def test_a_gate_that_needs_numbers_is_run_row_by_row_and_not_compiled():
    circuit = QuantumCircuit(2)
    circuit.ry(X, 0)
    circuit.append(HamiltonianGate(np.diag([1.0, -1.0]), X), [0])
    with pytest.raises(CircuitError, match="gate 'hamiltonian' needs numbers"):
        compile_circuit(circuit)
    found = TorchEstimator(dtype="complex128").run([(circuit, "ZZ", [[0.1], [0.7]])]).result()
    np.testing.assert_allclose(found[0].data.evs, np.cos([0.1, 0.7]), atol=1e-12)


def test_a_parameter_of_the_global_phase_is_of_no_consequence(twin):
    y = Parameter("y")
    circuit = QuantumCircuit(2, global_phase=2 * y + X)
    circuit.ry(X, 0)
    network = EstimatorQNN(
        circuit=circuit, input_params=[X], weight_params=[y], estimator=TorchEstimator()
    )
    layer = QuantumLayer(network)
    values = layer(torch.tensor([[0.4]]))
    values.sum().backward()
    np.testing.assert_allclose(values.detach(), np.cos([[0.4]]), atol=1e-6)
    assert layer.weight.grad == 0
    exact = TorchEstimator(dtype="complex128").values(circuit, [SparsePauliOp("ZX")], [[0.4, 1.0]])
    np.testing.assert_allclose(
        exact, twin(circuit, [SparsePauliOp("ZX")], [[0.4, 1.0]]), atol=1e-12
    )


def test_unbound_parameters_are_refused_by_estimator_and_layer():
    circuit = QuantumCircuit(1)
    circuit.ry(X + Parameter("forgotten"), 0)
    with pytest.raises(ValueError, match="forgotten"):
        TorchEstimator().run([(circuit, "Z", [0.1])])
    with pytest.raises(ValueError, match="parameters"):
        EstimatorQNN(circuit=circuit, input_params=[X], estimator=TorchEstimator())


def test_too_many_active_qubits_raise():
    circuit = QuantumCircuit(state_qubits() + 1)
    circuit.h(range(state_qubits() + 1))
    everything = SparsePauliOp("Z" * circuit.num_qubits)
    circuit.cx(range(state_qubits()), range(1, circuit.num_qubits))
    program = compile_circuit(circuit)
    for refused in (
        lambda: StatevectorEngine(program, [everything], 0),
        lambda: AdjointSweep(program, [everything]),
    ):
        with pytest.raises(CapacityError, match=str(state_qubits() + 1)):
            refused()


def test_idle_qubits_do_not_count_against_the_capacity():
    circuit = QuantumCircuit(100)
    circuit.h(70)
    circuit.cx(70, 3)
    program = compile_circuit(circuit)
    assert (program.num_qubits, program.active) == (2, (3, 70))


def test_a_parameter_without_a_value_raises_by_name():
    circuit = QuantumCircuit(1)
    circuit.rx(X, 0)
    with pytest.raises(CircuitError, match="x"):
        compile_circuit(circuit, [Parameter("other")])


def test_a_complex_angle_is_refused():
    circuit = QuantumCircuit(1)
    circuit.rx(X * 1j, 0)
    with pytest.raises(CircuitError, match="real"):
        compile_circuit(circuit)


@pytest.mark.parametrize("rows", [[[-2.0]], [[-2.0], [3.0]]])
def test_an_expression_that_has_no_derivative_is_computed_or_named(rows, twin):
    circuit = QuantumCircuit(1)
    circuit.ry(X.sign() * 0.5 + 0.2, 0)
    observables = [SparsePauliOp("Z")]
    try:
        values = TorchEstimator(dtype="complex128").values(circuit, observables, rows)
    except CircuitError:
        return
    np.testing.assert_allclose(values, twin(circuit, observables, rows))


class Namesake(Gate):
    """Somebody's own gate that happens to be called rx."""

    def __init__(self, angle):
        super().__init__("rx", 1, [angle])

    def _define(self):
        self.definition = QuantumCircuit(1)
        self.definition.ry(self.params[0], 0)


def test_a_namesake_of_a_standard_gate_is_what_its_definition_says(engine, twin):
    circuit = QuantumCircuit(1)
    circuit.append(Namesake(X), [0])
    circuit.append(RXGate(0.3), [0])
    circuit.append(Namesake(0.2), [0])
    observables = [SparsePauliOp(p) for p in "XYZ"]
    reference = QuantumCircuit(1)
    reference.ry(X, 0)
    reference.rx(0.3, 0)
    reference.ry(0.2, 0)
    np.testing.assert_allclose(
        engine(circuit, observables, [[0.9]]), twin(reference, observables, [[0.9]]), atol=1e-10
    )


def test_affine_angles_are_rows_of_slopes_and_the_rest_stay_expressions():
    x, w = ParameterVector("x", 2), Parameter("w")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * x[0] - x[1] / 4 + 0.5, 0)
    circuit.rz(x[0] * w, 0)
    table = compile_circuit(circuit, [*x, w]).angles
    assert table.coefficients[0] == {0: 2.0, 1: -0.25}
    assert table.constants[0] == 0.5
    assert list(table.expressions) == [1]
    assert table.depends_on(0) == {0, 1}
    assert table.depends_on(1) == {0, 2}


def test_the_amplitude_gate_is_loaded_directly_only_at_the_start_on_all_active_qubits():
    angles = ParameterVector("a", 3)

    def operations(circuit):
        return [type(o) for o in compile_circuit(circuit, list(angles)).operations]

    first = QuantumCircuit(3)
    first.append(AmplitudeEncoding(list(angles)), [0, 1])
    assert operations(first) == [AmplitudeLoad]

    second = QuantumCircuit(2)
    second.x(0)
    second.append(AmplitudeEncoding(list(angles)), [0, 1])
    assert AmplitudeLoad not in operations(second)

    swapped = QuantumCircuit(2)
    swapped.append(AmplitudeEncoding(list(angles)), [1, 0])
    assert AmplitudeLoad not in operations(swapped)

    subset = QuantumCircuit(3)
    subset.append(AmplitudeEncoding(list(angles)), [0, 1])
    subset.x(2)
    assert AmplitudeLoad not in operations(subset)


def test_gates_without_parameters_become_matrices_and_rotations_stay_rotations():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.rzz(X, 0, 1)
    fixed, rotation = compile_circuit(circuit).operations
    assert isinstance(fixed, FixedUnitary)
    assert isinstance(rotation, PauliRotation)
    assert (rotation.x, rotation.z) == (0, 3)


def test_a_barrier_and_a_delay_with_a_parameter_do_nothing():
    circuit = QuantumCircuit(1)
    circuit.ry(0.4, 0)
    circuit.delay(X, 0, unit="s")
    circuit.barrier()
    estimator = TorchEstimator(dtype="complex128")
    values = estimator.values(circuit, [SparsePauliOp("Z")], [[0.1], [5.0]])
    np.testing.assert_allclose(values, np.cos(0.4))


def test_compiling_leaves_the_circuit_alone():
    circuit = QuantumCircuit(2)
    circuit.append(AmplitudeEncoding(list(ParameterVector("a", 3))), [0, 1])
    circuit.crx(X, 0, 1)
    before = circuit.copy()
    compile_circuit(circuit)
    assert circuit == before
