"""Circuit by circuit, by Qiskit."""

import pytest
import torch
from qiskit import QuantumCircuit

from qvlm_qiskit.blocks.zoo import build


@pytest.mark.parametrize("qubits", [1, 2, 3])
def test_values_are_those_of_each_circuit_by_itself(z_of, qubits):
    torch.manual_seed(0)
    core = build("parallel-circuits", circuits=2, qubits=qubits, repetitions=2).double()
    x = torch.randn(2, 2 * qubits, dtype=torch.float64)
    angles = (torch.pi / 2 * torch.tanh(x)).reshape(2, 2, qubits)
    for sample in range(2):
        for number, weights in enumerate(core.layer.weight.detach()):
            circuit = QuantumCircuit(qubits)
            circuit.h(range(qubits))
            for layer in weights.reshape(2, qubits, 2).tolist():
                for qubit, (y, z) in enumerate(layer):
                    circuit.ry(y, qubit)
                    circuit.rz(z, qubit)
                if qubits > 1:
                    for qubit in range(qubits):
                        circuit.cx(qubit, (qubit + 1) % qubits)
                for qubit, angle in enumerate(angles[sample, number].tolist()):
                    circuit.rx(angle, qubit)
            found = core(x)[sample, number * qubits : (number + 1) * qubits]
            torch.testing.assert_close(found.tolist(), z_of(circuit), rtol=0, atol=1e-10)
