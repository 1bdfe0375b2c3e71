"""Machines with gates of any angle, under techniques that need fixed ones."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.transpiler import Target

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.fractional import (
    chosen_gates,
    legal_angles,
    without_fractional_gates,
)
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.errors import InputError, MitigationError


def interacting():
    circuit = QuantumCircuit(2)
    angle = Parameter("a")
    circuit.rx(angle, 0)
    circuit.rzz(angle, 0, 1)
    circuit.ry(0.3, 1)
    circuit.rzz(0.4, 0, 1)
    return circuit


@pytest.mark.parametrize(
    ("name", "mitigation", "fractional"),
    [
        ("fake_fractional", "none", True),
        ("fake_fractional", "twirling", False),
        ("noisy:fake_fractional", "none", False),
        ("noisy:fake_fractional", "readout", True),
        ("noisy:fake_fractional", "pec", False),
        pytest.param("fake_fractional", "resilience-1", True, marks=pytest.mark.slow),
        pytest.param("fake_fractional", "resilience-2", False, marks=pytest.mark.slow),
        pytest.param("noisy:fake_fractional", "twirling", False, marks=pytest.mark.slow),
        pytest.param("noisy:fake_fractional", "zne", False, marks=pytest.mark.slow),
    ],
)
def test_gates_of_any_angle_are_used_where_they_are_asked_for(name, mitigation, fractional):
    backend = open_backend(name, shots=400, seed=1, mitigation=mitigation, fractional=fractional)
    compiled = backend.compile(interacting(), "ZI").circuit
    assert ("rzz" in compiled.count_ops()) == fractional
    result = backend.estimator().run([(interacting(), "ZI", [0.7])]).result()[0]
    exact = open_backend("statevector").estimator().run([(interacting(), "ZI", [0.7])])
    assert np.abs(result.data.evs - exact.result()[0].data.evs) < 0.4


@pytest.mark.parametrize("name", ["fake_fractional", "noisy:fake_fractional"])
@pytest.mark.parametrize(
    "mitigation", ["twirling", "resilience-2", "pec", "zne", "learned-zne", "auto"]
)
def test_what_needs_fixed_angles_is_refused_by_name(name, mitigation):
    with pytest.raises(MitigationError, match=f"{mitigation!r} needs two-qubit gates of a fixed"):
        open_backend(name, shots=100, mitigation=mitigation, fractional=True)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("fake_manila", "fake_manila has no fractional gates"),
        ("noisy:fake_manila", "noisy:fake_manila has no fractional gates"),
        ("noisy:depolarizing(0.01)", r"depolarizing\(0.01\) has no fractional gates"),
        ("statevector", "takes no option fractional="),
    ],
)
def test_a_machine_without_them_is_refused(name, match):
    with pytest.raises(InputError, match=match):
        open_backend(name, fractional=True)
    with pytest.raises(InputError, match="fractional is 'yes'"):
        open_backend(name, fractional="yes")


def test_a_device_that_has_no_others_keeps_them():
    target = Target.from_configuration(["rz", "sx", "x", "rzz", "measure"], num_qubits=2)
    assert chosen_gates("mine", target, BackendOptions()) is target
    assert legal_angles(BackendOptions()) == ()


def test_a_device_without_fixed_gates_is_refused():
    target = Target.from_configuration(["rz", "sx", "x", "rzz", "measure"], num_qubits=2)
    with pytest.raises(MitigationError, match="rzz only"):
        without_fractional_gates(target)
    plain = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=2)
    assert without_fractional_gates(plain) is plain
