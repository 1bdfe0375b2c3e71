import numpy as np
import pytest
import torch
from qiskit.circuit.library import HGate, RXGate, RYGate, RZGate, SXGate

from qvlm_qiskit.quantum.program.operations import FixedUnitary, PauliRotation
from qvlm_qiskit.quantum.statevector.tensors.gate_bank import (
    BLOCK_QUBITS,
    DeviceConstants,
    GateBank,
    block_groups,
    blocks_of,
    kron_groups,
)

H, SX = HGate().to_matrix(), SXGate().to_matrix()


def test_matrices_are_the_products_of_their_chains_and_the_last_is_the_identity():
    chains = [
        (PauliRotation(1, 0, 7), FixedUnitary((0,), H), PauliRotation(0, 1, 3)),
        (PauliRotation(2, 2, 3),),
        (FixedUnitary((2,), SX),),
    ]
    angles = np.array([[0.4, -1.1], [2.0, 0.3]])  # columns of the rows 3 and 7
    found = GateBank(chains, {3: 0, 7: 1}).matrices(torch.tensor(angles), torch.complex128)
    assert found.shape == (2, 4, 2, 2)
    for sample, (three, seven) in zip(found.numpy(), angles, strict=True):
        first = RZGate(three).to_matrix() @ H @ RXGate(seven).to_matrix()
        expected = [first, RYGate(three).to_matrix(), SX, np.eye(2)]
        np.testing.assert_allclose(sample, expected, atol=1e-12)


def test_tensor_products_have_the_first_gate_on_the_least_significant_qubit():
    rng = np.random.default_rng(1)
    gates = rng.normal(size=(4, 2, 2))
    index = torch.tensor([[0, 1, 2], [3, 3, 0]])
    found = kron_groups(torch.tensor(gates), index).numpy()
    for group, (low, middle, high) in zip(found, index.tolist(), strict=True):
        expected = np.kron(gates[high], np.kron(gates[middle], gates[low]))
        np.testing.assert_allclose(group, expected, atol=1e-12)


@pytest.mark.parametrize("size", range(13))
def test_blocks_cover_every_qubit_once_and_are_as_few_as_possible(size):
    blocks = blocks_of(size)
    assert [q for first, width in blocks for q in range(first, first + width)] == list(range(size))
    assert len(blocks) == -(-size // BLOCK_QUBITS)
    widths = [width for _, width in blocks]
    assert max(widths, default=0) - min(widths, default=0) <= 1


def test_only_blocks_with_gates_are_grouped_and_idle_qubits_get_the_identity():
    places = {(0, 1): 0, (2, 4): 1, (2, 0): 2}
    assert block_groups(places, 5) == {
        2: ([(0, 0), (2, 0)], [[3, 0], [2, 3]]),
        3: ([(2, 2)], [[3, 3, 1]]),
    }


def test_a_constant_is_made_once_per_precision():
    made, constants = [], DeviceConstants()

    def make():
        made.append(1)
        return np.eye(2)

    cpu = torch.device("cpu")
    first = constants.get("identity", make, cpu, torch.float64)
    assert constants.get("identity", make, cpu, torch.float64) is first
    assert constants.get("identity", make, cpu, torch.float32).dtype == torch.float32
    assert len(made) == 2
