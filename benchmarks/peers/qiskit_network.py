"""A workload as Qiskit's ``EstimatorQNN``: shared by our layer and the stock pair."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from workloads import Workload

from qvlm_qiskit.quantum import AmplitudeEncoding


def circuit_of(
    workload: Workload,
) -> tuple[QuantumCircuit, Sequence[Parameter], Sequence[Parameter]]:
    """The circuit, its inputs and its weights; amplitude encoding takes 2ⁿ - 1 gate angles."""
    n = workload.num_qubits
    circuit = QuantumCircuit(n)
    inputs = ParameterVector("x", n if workload.encoding == "angle" else 2**n - 1)
    weights = ParameterVector("w", workload.num_weights)
    if workload.encoding == "angle":
        for qubit in range(n):
            circuit.ry(inputs[qubit], qubit)
    else:
        circuit.append(AmplitudeEncoding(list(inputs)), range(n))
    for name, qubit, index in workload.gates():
        if name == "cx":
            circuit.cx(qubit, index)
        else:
            getattr(circuit, name)(weights[index], qubit)
    return circuit, list(inputs), list(weights)
