"""Where a key may travel, and what happens when it can't be exchanged."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit_ibm_runtime.accounts import management
from urllib3.util import parse_url

from qvlm_qiskit import open_backend
from qvlm_qiskit.backends.ibm import account, lookups
from qvlm_qiskit.backends.ibm.transport import Transport, UnsafeAddressError, is_loopback
from qvlm_qiskit.errors import BackendError, CredentialsError, QVLMError
from tests.runtime_server import RuntimeServer

SAFE = [
    "https://iam.cloud.ibm.com",
    "https://private.iam.cloud.ibm.com",
    "https://iam.test.cloud.ibm.com",
    "https://cloud.ibm.com",
    "http://127.0.0.1:8000",
    "http://localhost:1/experimental",
    "https://[::1]:8000",
]
UNSAFE = [
    "http://iam.cloud.ibm.com",
    "https://iam.cloud.ibm.com.example.org",
    "https://evilcloud.ibm.com.co",
    "https://xcloud.ibm.com",
    "https://example.org/cloud.ibm.com",
    "https://cloud.ibm.com@example.org",
    "http://192.0.2.1",
    "http://127.0.0.1.example.org",
    "ftp://127.0.0.1",
    "iam.cloud.ibm.com",
    # Where these go to depends on who reads them.
    r"https://evil.example\.cloud.ibm.com",
    r"https://evil.example\@iam.cloud.ibm.com",
    "https://evil.example%2f.cloud.ibm.com",
    "https://evil.example\t.cloud.ibm.com",
    "https://evil.example#@iam.cloud.ibm.com",
    "https://me@iam.cloud.ibm.com",
    "https://@iam.cloud.ibm.com",
    "https://iam.cloud.ibm.com:x",
    "https://[::1].cloud.ibm.com",
    "https://[iam.cloud.ibm.com]",
    "https://еvil.cloud.ibm.com",
    "https:///iam.cloud.ibm.com",
    " https://iam.cloud.ibm.com",
    "https://iam.cloud.ibm.com\n",
    "https://iam.cloud.ibm.com.",
    "",
]
PIECES = [
    "https:", "http:", "//", "/", "\\", "@", ":", "#", "?", ".", "%2f", "%40", "%5c", "\t", "\n",
    " ", "\0", "[::1]", "[", "]", "443", "evil.example", "iam.cloud.ibm.com", ".cloud.ibm.com",
    "cloud.ibm.com", "127.0.0.1", "localhost", "0x7f.1", ";", "&", "é", "\u3002", "\uff0f",
    "\u2488", "_", "A",
]  # fmt: skip


@pytest.mark.parametrize("url", SAFE)
def test_addresses_of_ibm_and_of_this_computer_are_taken(url):
    account.check_address("it", url)


@pytest.mark.parametrize("url", UNSAFE)
def test_other_addresses_are_refused(url):
    with pytest.raises(UnsafeAddressError, match="credentials would be sent"):
        account.check_address("it", url)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    st.sampled_from(["", "https://", "http://", "https://evil.example"]),
    st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
    st.sampled_from(["", "/identity/token"]),
)
def test_requests_sends_no_taken_address_to_a_stranger(start, rest, path):
    try:
        account.check_address("it", start + rest)
    except UnsafeAddressError:
        return
    try:
        sent_to = requests.Request("GET", start + rest + path).prepare().url
    except (requests.RequestException, UnicodeError):
        return  # nobody
    for host in (parse_url(sent_to).host, urlsplit(sent_to).hostname):
        host = host.strip("[]").lower()
        ours = f".{host}".endswith(f".{account.IBM_DOMAIN}") and sent_to.startswith("https:")
        assert ours or is_loopback(host), (start + rest, sent_to)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """No account but the one that a test sets."""
    monkeypatch.setattr(
        management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "accounts.json")
    )
    for name in (*account.ADDRESS_VARIABLES, "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "sesame-key")
    monkeypatch.setenv(
        "QISKIT_IBM_INSTANCE", "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::"
    )
    return monkeypatch


@pytest.mark.parametrize("variable", account.ADDRESS_VARIABLES)
def test_a_variable_that_leads_elsewhere_stops_everything(environment, variable):
    environment.setenv(variable, "https://identity.example.org")
    environment.setattr(account, "GuardedService", lambda: pytest.fail("a service was made"))
    with pytest.raises(UnsafeAddressError, match=variable) as caught:
        open_backend("ibm:ibm_torino")
    assert isinstance(caught.value, BackendError)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "instance", ["crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::", "a-name"]
)
def test_a_saved_account_that_leads_elsewhere_is_refused(environment, tmp_path, instance):
    environment.delenv("QISKIT_IBM_TOKEN")
    management.AccountManager.save(
        token="sesame-key",
        url="https://example.org",
        instance=instance,
        channel="ibm_quantum_platform",
        filename=str(tmp_path / "accounts.json"),
    )
    with pytest.raises(UnsafeAddressError, match="account's url"):
        open_backend("ibm:ibm_torino")


@pytest.mark.slow
def test_the_variables_that_the_loopback_service_prints_open_it(environment):
    with RuntimeServer(["fake_manila"], instant=True) as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        backend = open_backend("ibm:fake_manila", mitigation="resilience-1")
        assert (backend.name, backend.kind, backend.num_qubits) == (
            "ibm:fake_manila",
            "hardware",
            5,
        )
        assert open_backend("ibm:least_busy").name == "ibm:fake_manila"


def test_a_key_that_is_not_known_says_so(environment):
    with RuntimeServer(["fake_manila"], instant=True) as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        environment.setenv("QISKIT_IBM_TOKEN", "sesame-wrong")
        with pytest.raises(CredentialsError) as caught:
            open_backend("ibm:fake_manila")
    assert "sesame" not in str(caught.value)


def test_a_sign_in_that_fails_while_the_service_is_opened_says_so(environment):
    with RuntimeServer(["fake_manila"], instant=True) as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        # The first exchange is that of the account's search for instances.
        server.faults.add("error_before", "token", nth=2, value=403)
        with pytest.raises(CredentialsError, match="identity service answered 403"):
            open_backend("ibm:fake_manila")


def test_the_identity_service_may_fail_once(environment):
    with RuntimeServer(["fake_manila"], instant=True) as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        server.faults.add("error_before", "token", nth=2, value=503)
        assert open_backend("ibm:fake_manila").num_qubits == 5


@pytest.fixture
def opened(environment):
    """The loopback service, to which the account in the environment leads."""
    with RuntimeServer(["fake_manila"], instant=True) as server:
        for name, value in server.environment().items():
            environment.setenv(name, value)
        yield server


STAGES = [
    ("token", 1), ("instances", 1), ("plan", 1), ("token", 2), ("backends", None),
    ("configuration", 1),
]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("endpoint", "nth"), STAGES)
def test_no_stage_follows_a_redirect_to_another_address(opened, endpoint, nth, status):
    """Followed, the next request would be answered as if nothing had happened, or again so."""
    opened.faults.add("redirect", endpoint, nth=nth, value=status)
    with pytest.raises(QVLMError):
        open_backend("ibm:fake_manila")
    (fault,) = opened.faults.describe()
    assert 1 <= fault["met"] <= (2 if nth is None else 1)


@pytest.mark.parametrize("endpoint", ["token", "instances", "plan"])
def test_who_sends_a_byte_now_and_then_is_not_waited_for(opened, environment, endpoint):
    environment.setattr(lookups, "LOOKUP_SECONDS", 0.4)
    environment.setattr(account, "SIGN_IN_SECONDS", 0.2)
    opened.faults.add("drip", endpoint)
    begun = time.monotonic()
    with pytest.raises(QVLMError):
        open_backend("ibm:fake_manila")
    assert time.monotonic() - begun < 20


def test_a_later_sign_in_ends_in_time_and_sends_the_key_to_nobody_else(opened, environment):
    sign_in = open_backend("ibm:fake_manila").device.machine.service.sign_in
    for fault in ("drip", "redirect"):
        sign_in.drop(sign_in.headers()["Authorization"])
        opened.faults.add(fault, "token")
        with environment.context() as hurried, pytest.raises(account.SignInError):
            hurried.setattr(account, "SIGN_IN_SECONDS", 0.2)
            sign_in.headers()
        opened.faults.clear()


def test_only_requests_inside_are_guarded_and_only_this_threads():
    usual = requests.Session().get_adapter("https://example.org")
    with lookups.guarded(), ThreadPoolExecutor(1) as other:
        assert isinstance(requests.Session().get_adapter("https://example.org"), Transport)
        elsewhere = other.submit(requests.Session().get_adapter, "https://example.org").result()
        assert type(elsewhere) is type(usual)
    assert type(requests.Session().get_adapter("https://example.org")) is type(usual)
