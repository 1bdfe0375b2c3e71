import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import UnitaryGate

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.put import put


def test_instructions_are_those_that_append_would_make():
    """Parameters, expressions, delays, a matrix, a measurement and a decision on its outcome."""
    a, b = Parameter("a"), Parameter("b")
    source = QuantumCircuit(3, 1)
    source.rz(a, 0)
    source.rzz(2 * a - b, 0, 2)
    source.cz(2, 1)
    source.delay(100, 1)
    source.append(UnitaryGate(np.eye(4)), [1, 0])
    source.measure(0, 0)
    with source.if_test((source.clbits[0], 1)):
        source.x(1)
    placed, appended = QuantumCircuit(5, 1), QuantumCircuit(5, 1)
    where = {bit: [4, 2, 1][i] for i, bit in enumerate(source.qubits)}
    for item in source.data:
        own = [where[bit] for bit in item.qubits]
        put(
            placed, item, [placed.qubits[qubit] for qubit in own], placed.clbits[: len(item.clbits)]
        )
        appended.append(item.operation, own, list(range(len(item.clbits))), copy=False)
    assert placed == appended
    assert circuit_digest(placed) == circuit_digest(appended)
    bound = {a: 0.3, b: 0.1}
    assert placed.assign_parameters(bound) == appended.assign_parameters(bound)
    assert source.parameters == {a, b}
