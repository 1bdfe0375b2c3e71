"""Two fragments against the whole circuit."""

import pytest
import torch

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.blocks.zoo.distributed_qcnn import network_and_cuts
from qvlm_qiskit.quantum import QuantumLayer


@pytest.mark.parametrize("qubits", [3, 4, 6])
def test_values_and_gradients_are_those_of_the_whole_circuit(qubits):
    torch.manual_seed(0)
    core = build("distributed-qcnn", qubits=qubits).double()
    network, _ = network_and_cuts(qubits)
    whole = QuantumLayer(network).double()
    whole.load_state_dict(core.layer.state_dict())
    x = torch.randn(2, qubits, dtype=torch.float64, requires_grad=True)
    found, wanted = core(x), whole(torch.pi / 2 * torch.tanh(x))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    cotangent = torch.randn_like(found)
    ours = torch.autograd.grad(found, [x, core.layer.weight], cotangent)
    theirs = torch.autograd.grad(wanted, [x, whole.weight], cotangent)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_the_fragments_are_those_of_the_source():
    """Eight qubits as five and four; one row and four."""
    overhead = build("distributed-qcnn").layer.overhead
    assert (overhead.cuts, overhead.qubits, overhead.rows) == (1, (5, 4), (1, 4))
    assert overhead.sampling == 16
