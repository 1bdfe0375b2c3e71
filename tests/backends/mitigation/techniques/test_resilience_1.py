"""The Runtime client's resilience level 1."""

from qvlm_qiskit.backends import open_backend


def test_the_client_is_asked_for_the_level():
    backend = open_backend("fake_manila", mitigation="resilience-1+twirling")
    assert backend.device.resilience_level == 1
    assert backend.device.technique == "resilience-1+twirling"
    assert backend.wrappers == ()
