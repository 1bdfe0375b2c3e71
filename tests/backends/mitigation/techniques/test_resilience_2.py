"""The Runtime client's resilience level 2."""

from qvlm_qiskit.backends import open_backend


def test_the_client_is_asked_for_the_level():
    backend = open_backend("fake_manila", mitigation="resilience-2+twirling")
    assert backend.device.resilience_level == 2
    assert backend.device.technique == "resilience-2+twirling"
    assert backend.wrappers == ()
