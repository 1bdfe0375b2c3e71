"""A single shot shows no variance; what it states is the largest that is possible."""

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend

DEVICES = [
    ("noisy:depolarizing(0.01)", {"method": "density"}),
    ("noisy:depolarizing(0.01)", {"method": "aer"}),
    ("aer", {}),
    ("fake_manila", {}),
]


@pytest.mark.parametrize(("name", "options"), DEVICES)
def test_a_single_shot_has_a_standard_error(name, options, make_circuit, values_for):
    circuit = make_circuit(2)
    pub = (circuit, ["ZI", "XX", {"ZZ": 2.0, "ZI": -1.0, "II": 5.0}], values_for(circuit))
    backend = open_backend(name, precision=1, seed=1, **options)
    data = backend.estimator().run([pub]).result()[0].data
    assert data.stds == pytest.approx([1.0, 1.0, 3.0])
    exact = open_backend("statevector").estimator().run([pub]).result()[0].data.evs
    assert np.all(np.abs(data.evs - exact) <= 2 * data.stds)
