"""Dynamical decoupling is the Runtime client's."""

from qvlm_qiskit.backends import open_backend


def test_the_client_is_asked_for_the_pulses():
    backend = open_backend("fake_manila", mitigation="dd(sequence=XY4)")
    pulses = {"enable": True, "sequence_type": "XY4"}
    assert backend.device.settings == {"dynamical_decoupling": pulses}
    assert backend.device.technique == "resilience-0+dd"
    assert backend.wrappers == ()
