"""The statevector backend: exact values, on the torch device that was asked for."""

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError


def test_statevector_is_exact(make_circuit, values_for, exact):
    quantum = pytest.importorskip("qvlm_qiskit.quantum")
    if not hasattr(quantum, "TorchEstimator"):
        pytest.skip("qvlm_qiskit.quantum has no TorchEstimator yet")
    circuit = make_circuit()
    values = values_for(circuit, (3,))
    backend = open_backend("statevector", dtype="complex128")
    found = backend.estimator().run([(circuit, [["ZXY"], ["IIZ"]], values)]).result()[0].data.evs
    np.testing.assert_allclose(found, exact(circuit, [["ZXY"], ["IIZ"]], values), atol=1e-10)
    assert (backend.kind, backend.compile(circuit, ["ZXY"]).layout) == ("exact", (0, 1, 2))
    sampling = [open_backend("statevector", shots=shots, seed=1) for shots in (100, 200)]
    assert sampling[0].kind == "simulated shots"
    assert sampling[0].device_description() != sampling[1].device_description()


@pytest.mark.parametrize("device", ["nonsense", "cpu:x"])
def test_a_torch_device_that_is_not_there_is_named(device):
    with pytest.raises(InputError, match=device):
        open_backend("statevector", device=device)
