"""Small sizes of every model of the zoo, for the tests that all of them have to pass."""

import pytest
import torch
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import Pauli, Statevector

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.quantum import TorchEstimator

SMALL = {
    "distributed-qcnn": {"qubits": 3},
    "doubly-stochastic": {"tokens": 2, "width": 2},
    "farhi-neven": {"inputs": 3},
    "fast-weights": {"tokens": 2, "outputs": 2, "qubits": 2, "latent": 2},
    "flipped-quanvolution": {"channels": 2, "kernels": 2, "side": 4},
    "hamiltonian-embedding": {"qubits": 2, "repetitions": 2, "outputs": 3},
    "parallel-circuits": {"circuits": 2, "qubits": 2, "repetitions": 2},
    "pooling-qcnn": {"qubits": 2, "outputs": 1},
    "qaoa-latent": {"qubits": 3, "repetitions": 2},
    "qkan": {"inputs": 3, "outputs": 2, "repetitions": 2},
    "qkan-lstm": {"tokens": 2, "outputs": 1, "repetitions": 1},
    "quanvolution": {"side": 4},
    "reuploading-linear": {"inputs": 6, "outputs": 2, "repetitions": 2},
    "token-circuit": {"tokens": 2, "repetitions": 1},
    "transfer-features": {"qubits": 2},
    "visual-field": {"outputs": 2, "qubits": 2, "repetitions": 2, "hidden": 3, "frequencies": 2},
}
"""Name → options with which a circuit is simulated in milliseconds, and fits on any device."""


class Counting(TorchEstimator):
    """Exact, and counts the rows it is asked."""

    def __init__(self):
        super().__init__()
        self.rows = 0

    def run(self, pubs, *, precision=None):
        pubs = [EstimatorPub.coerce(pub) for pub in pubs]
        self.rows += sum(pub.parameter_values.size for pub in pubs)
        return super().run(pubs, precision=precision)


def small(name, kind="quantum", **options):
    """A core of that name with the same numbers in each run."""
    torch.manual_seed(0)
    return build(name, **{**SMALL[name], "kind": kind, **options})


def samples_for(core, count=3):
    """A batch of samples of a core, in double precision."""
    shape = [4 if side is None else side for side in core.sizes.inputs]
    made = torch.randn(count, *shape, dtype=torch.float64, generator=torch.manual_seed(1))
    return made.requires_grad_()


@pytest.fixture
def z_of():
    """⟨Z⟩ of every qubit of a circuit of numbers, by Qiskit."""

    def read(circuit):
        state, width = Statevector(circuit), circuit.num_qubits
        return [state.expectation_value(Pauli("Z"), [qubit]).real for qubit in range(width)]

    return read


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def core_of():
    return small


@pytest.fixture
def samples_of():
    return samples_for
