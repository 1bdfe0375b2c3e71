import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.library import RXGate
from qiskit.quantum_info import Kraus, SparsePauliOp

from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum import AmplitudeEncoding, TorchEstimator
from qvlm_qiskit.quantum.program import (
    MAX_QUBITS,
    AmplitudeLoad,
    FixedUnitary,
    PauliRotation,
    compile_circuit,
)

X = Parameter("x")


def measured(circuit):
    circuit.measure(0, 0)


def reset(circuit):
    circuit.reset(0)


def initialized(circuit):
    circuit.initialize([0.6, 0.8], 0)


def conditioned(circuit):
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)


def looped(circuit):
    with circuit.for_loop(range(2)):
        circuit.x(0)


def nested_reset(circuit):
    inner = QuantumCircuit(1)
    inner.reset(0)
    circuit.append(inner.to_instruction(), [0])


def channel(circuit):
    circuit.append(Kraus([np.eye(2) * 0.6, np.diag([0.8, -0.8])]), [0])


NOT_UNITARY = {
    "measure": measured,
    "reset": reset,
    "initialize": initialized,
    "if_else": conditioned,
    "for_loop": looped,
    "reset'": nested_reset,
    "kraus": channel,
}


@pytest.mark.parametrize("name", NOT_UNITARY)
def test_instructions_that_are_not_unitary_raise_by_name(name):
    circuit = QuantumCircuit(2, 1)
    circuit.ry(X, 0)
    NOT_UNITARY[name](circuit)
    with pytest.raises(CircuitError, match=name.rstrip("'")):
        compile_circuit(circuit)
    job = TorchEstimator().run([(circuit, "ZZ", [0.1])])
    with pytest.raises(CircuitError, match=name.rstrip("'")):
        job.result()


def test_a_parametrised_gate_without_a_definition_raises_by_name():
    circuit = QuantumCircuit(1)
    circuit.append(Gate("mystery", 1, [X]), [0])
    with pytest.raises(CircuitError, match="mystery"):
        compile_circuit(circuit)


def test_too_many_active_qubits_raise():
    circuit = QuantumCircuit(MAX_QUBITS + 1)
    circuit.h(range(MAX_QUBITS + 1))
    with pytest.raises(CapacityError, match=str(MAX_QUBITS + 1)):
        compile_circuit(circuit)


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


def test_affine_angles_form_one_matrix_and_the_rest_stay_expressions():
    x, w = ParameterVector("x", 2), Parameter("w")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * x[0] - x[1] / 4 + 0.5, 0)
    circuit.rz(x[0] * w, 0)
    table = compile_circuit(circuit, [*x, w]).angles
    matrix, offset = table.affine()
    np.testing.assert_allclose(matrix[0], [2, -0.25, 0])
    assert offset[0] == 0.5
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
