"""The identity is 1 under every mitigation, and what it adds to an observable is added exactly."""

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend

MITIGATIONS = [
    "none", "readout", "zne", "zne(factory=exp)", "twirling", "cdr", "pec", "learned-zne",
    "readout+zne", "twirling+pec",
]  # fmt: skip


@pytest.mark.parametrize("mitigation", MITIGATIONS)
def test_what_the_identity_adds_is_added_exactly(mitigation, make_circuit, values_for):
    circuit = make_circuit(2)
    observables = [[{"II": 1.0}], [{"ZZ": 0.5}], [{"ZZ": 0.5, "II": 3.0}], [{"II": -7.0}]]
    estimator = open_backend(
        "noisy:depolarizing(0.002)", shots=2000, mitigation=mitigation, seed=3
    ).estimator()
    data = estimator.run([(circuit, observables, values_for(circuit, (2,)))]).result()[0].data
    assert data.evs[0] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert data.evs[3] == pytest.approx([-7.0, -7.0], abs=1e-9)
    assert data.stds[[0, 3]] == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    tolerance = 0.05 if mitigation == "learned-zne" else 1e-9
    assert data.evs[2] == pytest.approx(3 + data.evs[1], abs=tolerance)
