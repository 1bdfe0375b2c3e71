"""What a builder makes of gates and their parameters."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.library import RXGate
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    TorchEstimator,
)
from qvlm_qiskit.quantum.program.operations import AmplitudeLoad, FixedUnitary, PauliRotation
from qvlm_qiskit.quantum.program.program import compile_circuit

X = Parameter("x")


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
