"""One small layer, in single and in double precision, and rows for it."""

import numpy as np
import pytest
import torch

from qvlm_qiskit.quantum import QuantumLayer


@pytest.fixture
def exact(make_network, weights):
    """The fast layer."""
    return QuantumLayer(make_network(), initial_weights=weights)


@pytest.fixture
def double(make_network, weights):
    """The fast layer with weights in double precision."""
    return QuantumLayer(make_network(), initial_weights=weights).double()


@pytest.fixture
def rows():
    return torch.as_tensor(np.random.default_rng(0).uniform(-2, 2, (5, 2)))
