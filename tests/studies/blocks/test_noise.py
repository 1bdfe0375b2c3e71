"""How many of a machine's qubits a block's circuit uses."""

import pytest

from qvlm_qiskit import open_backend
from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.quantum import quantum_layers
from qvlm_qiskit.studies.blocks.noise import qubits_used


@pytest.mark.parametrize(
    ("block", "options", "qubits"),
    [("qaoa-latent", {}, 12), ("hamiltonian-embedding", {}, 3), ("farhi-neven", {}, 17)],
)
def test_a_ring_takes_a_whole_ring_of_the_machine(block, options, qubits):
    layer = next(iter(quantum_layers(build(block, **options)).values()))
    assert qubits_used(layer, open_backend("noisy:fake_kingston", seed=0)) == qubits
