"""Fake devices under their names, by the client and by our sampling."""

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends import list_backends, open_backend
from qvlm_qiskit.errors import BackendError


@pytest.mark.slow
def test_every_fake_device_runs_under_both_names():
    from qvlm_qiskit.backends.devices.fake_files import fake_qubits

    for name, qubits in fake_qubits().items():
        circuit = QuantumCircuit(min(qubits, 2))
        circuit.ry(Parameter("a"), 0)
        if qubits > 1:
            circuit.cx(0, 1)
        listed = {row.name: row for row in list_backends()}[name]
        for full in (name, f"noisy:{name}"):
            with warnings.catch_warnings():
                # the nighthawk's properties are said to be no typical ones
                warnings.simplefilter("ignore", UserWarning)
                backend = open_backend(full, shots=4000, seed=1)
            pub = (circuit, "Z" * circuit.num_qubits, [[0.0], [np.pi]])
            if full == name and "no parametrised" in listed.what:
                with pytest.raises(BackendError, match=r"u[23]"):
                    backend.estimator().run([pub])
                continue
            evs = backend.estimator().run([pub]).result()[0].data.evs
            if backend.compile(circuit, pub[1]).success_probability == 0:
                continue  # fake_kyoto: every two-qubit gate is stated to fail always
            assert np.abs(evs - (1 if qubits > 1 else np.array([1, -1]))).max() < 0.9, full


def test_large_devices_are_cut_down(make_circuit, values_for, exact):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    for name in ("fake_torino", "noisy:fake_torino"):
        backend = open_backend(name, shots=4000, seed=1)
        result = backend.estimator().run([(circuit, [["ZII"], ["IIX"]], values)]).result()[0]
        assert len(result.metadata["active_qubits"]) <= 5
        expected = exact(circuit, [["ZII"], ["IIX"]], values)
        assert np.abs(result.data.evs - expected).max() < 0.3


def test_devices_that_the_client_cannot_run_are_refused(make_circuit, values_for):
    circuit = make_circuit()
    pub = (circuit, "ZII", values_for(circuit))
    with pytest.raises(BackendError, match="noisy:<device>"):
        open_backend("fake_essex", shots=100).estimator().run([pub])
    result = open_backend("noisy:fake_essex", shots=100).estimator().run([pub]).result()[0]
    assert result.metadata["executions"] == 100
