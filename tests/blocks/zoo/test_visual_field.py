"""The field by Qiskit's states."""

import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli, Statevector

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError


def test_colours_are_those_of_the_circuit():
    torch.manual_seed(0)
    core = build("visual-field", qubits=3, outputs=2, repetitions=2, hidden=5, frequencies=2)
    core = core.double()
    (x, y), weights = (0.3, -0.7), core.layer.weight.tolist()
    phases = torch.pi * torch.tensor([x, 2 * x, y, 2 * y], dtype=torch.float64)
    sines, cosines = phases.sin(), phases.cos()
    waves = torch.cat([sines[:2], cosines[:2], sines[2:], cosines[2:]])
    first, last = core.energies[0], core.energies[2]
    hidden = torch.nn.functional.silu(first.weight @ waves + first.bias)
    amplitudes = torch.softmax(-(last.weight @ hidden + last.bias), 0).sqrt().detach().numpy()
    circuit = QuantumCircuit(3)
    for layer in range(2):
        for qubit in range(3):
            circuit.ry(weights[3 * layer + qubit], qubit)
        circuit.cx(0, 1)
        circuit.cx(1, 2)
        circuit.cx(0, 2)
    state = Statevector(amplitudes).evolve(circuit)
    wanted = [(1 + state.expectation_value(Pauli(label)).real) / 2 for label in ("IIZ", "IZI")]
    found = core(torch.tensor([[x, y]], dtype=torch.float64))[0].tolist()
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_the_frozen_field_trains_its_energies():
    frozen = build("visual-field", kind="frozen")
    left = {name for name, p in frozen.named_parameters() if not p.requires_grad}
    assert left == {"layer.weight"}


def test_more_colours_than_qubits_are_refused():
    with pytest.raises(InputError, match="outputs=3 are more than qubits=2"):
        build("visual-field", qubits=2)
