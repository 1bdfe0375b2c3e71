"""Machines that can not be fetched: without an account, and without a connection."""

import socket

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BackendError, CredentialsError, InputError


def test_the_best_machine_is_one_for_a_model():
    with pytest.raises(InputError, match="ibm:best chooses a machine for a model's circuits"):
        open_backend("ibm:best")


def test_a_missing_account_is_one_clear_sentence(monkeypatch, tmp_path):
    from qiskit_ibm_runtime.accounts import management

    for variable in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(
        management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "accounts.json")
    )
    for name in ("ibm:least_busy", "ibm:ibm_torino"):
        with pytest.raises(CredentialsError, match="save_account") as caught:
            open_backend(name)
        assert "\n" not in str(caught.value)


def test_a_service_that_is_not_there_is_not_taken_for_a_wrong_account(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in ("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL", "QISKIT_IBM_URL"):
            monkeypatch.setenv(name, f"http://{address}")
        monkeypatch.setenv("QISKIT_IBM_TOKEN", "canary")
        monkeypatch.setenv("QISKIT_IBM_INSTANCE", "crn:v1:a:b:c:us-east:a/loopback:loopback::")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(BackendError, match=f"no connection to {address}") as caught:
            open_backend("ibm:ibm_torino")
    assert not isinstance(caught.value, CredentialsError)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
