"""Aer: exact values and shots, on a GPU only where there is one."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices import aer
from qvlm_qiskit.errors import BackendError, FallbackWarning


def test_a_missing_gpu_is_an_error_and_never_the_cpu():
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine's Aer has a GPU")
    with pytest.raises(BackendError, match="GPU"):
        open_backend("aer-gpu")


def test_aer_falls_back_only_where_that_was_allowed_and_says_so():
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine's Aer has a GPU")
    with pytest.warns(FallbackWarning, match="runs on the CPU"):
        backend = open_backend("aer", device="auto")
    assert backend.describe()["device"] == {"device": "CPU"}
    assert "runs on the CPU" in backend.describe()["notes"][0]
    with pytest.raises(BackendError, match="GPU"):
        open_backend("aer", device="gpu")
    assert open_backend("aer", device="cpu").notes == ()


STRINGS = ["IIZ", "ZII", "XIX", "IYZ", "ZYX"]


def operators():
    return [SparsePauliOp(label) for label in STRINGS] + [
        SparsePauliOp(["ZZI", "IXX", "III", "YII"], [0.5, -1.0, 0.25, 2.0])
    ]


def test_the_exact_path_is_exact(make_circuit, values_for, exact):
    circuit = make_circuit(custom=True, layers=2)
    values = values_for(circuit, (4,))
    observables = [[operator] for operator in operators()]
    result = open_backend("aer").estimator().run([(circuit, observables, values)]).result()[0]
    np.testing.assert_allclose(
        result.data.evs, exact(circuit, observables, values), atol=1e-10, rtol=0
    )


@pytest.mark.parametrize("gate", ["cp", "crx", "cry", "crz"])
def test_aer_binds_the_angles_of_controlled_rotations(gate):
    angle = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.ry(0.3, 1)
    getattr(circuit, gate)(angle, 0, 1)
    circuit.h([0, 1])
    observable = SparsePauliOp(["ZI", "XY"], [1.0, 0.5])
    pub = (circuit, observable, [1.1])
    found = open_backend("aer").estimator().run([pub]).result()[0].data.evs
    exact = Statevector(circuit.assign_parameters([1.1])).expectation_value(observable).real
    np.testing.assert_allclose(found, exact, atol=1e-10)


def test_two_builds_of_aer_in_one_place_are_refused(monkeypatch):
    there = {"qiskit-aer": "0.18.2", "qiskit-aer-gpu": "0.18.2"}
    monkeypatch.setattr(aer, "_installed", there.__contains__)
    with pytest.raises(BackendError, match="one package twice: pip uninstall"):
        open_backend("aer-gpu")
    for name in there:
        monkeypatch.setattr(aer, "_installed", [name].__contains__)
        aer.check_one_aer()
