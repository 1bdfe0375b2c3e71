"""Estimators in front of each other."""

import pytest
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.pubs.stack import stack_of, to_device
from qvlm_qiskit.errors import BackendError


def test_a_stack_is_walked_from_outside_to_the_device():
    backend = open_backend("noisy:fake_manila", shots=10, mitigation="readout")
    walked = list(stack_of(backend.estimator()))
    assert isinstance(walked[0], Compiled)
    assert walked[-1] is backend.device
    layers, device = to_device(backend.estimator())
    assert (layers, device) == (walked[:-1], backend.device)


def test_nothing_is_an_empty_stack():
    assert list(stack_of(None)) == []


def test_a_device_that_says_nothing_is_named():
    with pytest.raises(BackendError, match="StatevectorEstimator doesn't say beforehand"):
        to_device(StatevectorEstimator())
