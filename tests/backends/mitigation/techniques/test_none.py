"""Nothing is mitigated."""

from qvlm_qiskit.backends import open_backend


def test_nothing_stands_around_the_device():
    backend = open_backend("noisy:fake_manila", mitigation="none")
    assert backend.wrappers == ()
    assert backend.describe()["techniques"] == [
        {"technique": "none", "what": "nothing is mitigated"}
    ]
