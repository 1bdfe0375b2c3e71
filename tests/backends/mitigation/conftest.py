"""What the tests of mitigation share as fixtures."""

import pytest

from tests.backends.mitigation.circuits import OBSERVABLES


@pytest.fixture
def problem(make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (6,), seed=2)
    return (circuit, OBSERVABLES, values), exact(circuit, OBSERVABLES, values)
