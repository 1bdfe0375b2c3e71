"""The map by Qiskit's states."""

import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qvlm_qiskit.blocks.zoo import build


def test_values_are_the_probabilities_of_the_circuit():
    core = build("transfer-features", qubits=3).double()
    x = torch.randn(2, 3, dtype=torch.float64)
    for sample, found in zip(x.tolist(), core(x), strict=True):
        circuit = QuantumCircuit(3)
        for qubit, angle in enumerate(sample):
            circuit.ry(angle, qubit)
        circuit.h(range(3))
        circuit.cx(0, 1)
        circuit.cx(1, 2)
        wanted = torch.as_tensor(Statevector(circuit).probabilities())
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_nothing_is_trained_and_the_twins_points_are_stored():
    twin = build("transfer-features", kind="classical")
    assert not list(twin.parameters())
    other = build("transfer-features", kind="classical")
    other.load_state_dict(twin.state_dict())
    x = torch.randn(4, 5)
    assert torch.equal(twin(x), other(x))
    torch.testing.assert_close(twin(x).sum(-1), torch.ones(4))
