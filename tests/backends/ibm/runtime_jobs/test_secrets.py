"""A promise across `ibm`: no secret is told, wherever words go.

Tests no single module. A canary in the place of the API key, and every token, are looked for.
"""

import gc
import logging
import traceback
import types
from dataclasses import replace

import pytest
import requests

from qvlm_qiskit.backends.ibm.account import redacted
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.errors import QVLMError
from tests.backends.ibm.runtime_jobs.conftest import DEVICE, PATIENT, patience, reached
from tests.runtime_server import RuntimeServer

pytestmark = pytest.mark.usefixtures("debugged_here_only")
CANARY = "canary-0f8e7d6c5b4a-api-key"
SENDING = ["submit"]
BEFORE = ["usage", "status"]
READING = ["job", "list_jobs", "results", "cancel", "session"]
FAULTS = [
    *((fault, SENDING) for fault in ("drop_before", "drop_after", "hang_before", "error_before")),
    *((fault, SENDING) for fault in ("error_after", "rate_limited", "invalid", "expired_token")),
    *((fault, SENDING) for fault in ("cut", "truncated", "session_closed")),
    *((fault, BEFORE) for fault in ("drop_before", "error_before", "truncated", "expired_token")),
    *((fault, READING) for fault in ("drop_before", "error_before", "cut", "expired_token")),
]
SHORT_FORM = [FAULTS[i] for i in (0, 5, 6, 7, 10, 12, 14, 16, 18)]

ONCE = replace(PATIENT, attempts=1)


@pytest.fixture
def canary(monkeypatch):
    """A server that knows the canary only, and repeats the authorization in its errors."""
    with RuntimeServer([DEVICE], instant=True) as server:
        reached(server, monkeypatch)
        monkeypatch.setattr(server.identity, "api_key", CANARY)
        monkeypatch.setenv("QISKIT_IBM_TOKEN", CANARY)
        yield server


def chain(error):
    """An exception with all that hang behind it."""
    seen = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return seen


def told(error):
    """Everything that an exception says, to whoever asks it how."""
    texts = []
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        texts += traceback.TracebackException.from_exception(one).format()
    return "\n".join(texts)


def everything(jobs, package, session, server_id):
    yield lambda: jobs.submit(package, "leak", max_seconds=60)
    yield lambda: jobs.submit(package, "leak", max_seconds=60, session=session)
    yield lambda: jobs.status(server_id)
    yield lambda: jobs.find("leak")
    yield lambda: jobs.fetch(server_id)
    yield lambda: jobs.cancel(server_id)
    yield jobs.allowance
    yield lambda: jobs.session_accepts(session)


def secrets_of(jobs):
    return [CANARY, *jobs._sign_in.secrets()]


@pytest.mark.parametrize(
    "faults", [SHORT_FORM, pytest.param(FAULTS, marks=pytest.mark.slow)], ids=["short", "all"]
)
def test_no_fault_makes_anything_tell_a_secret(canary, package, caplog, capfd, faults):
    caplog.set_level(logging.DEBUG)
    jobs = RuntimeJobs(fetch_machine(DEVICE), deadlines=ONCE)
    session = jobs.open_session("batch", None)
    server_id = jobs.submit(package, "leak", max_seconds=60)
    secrets = set(secrets_of(jobs))
    errors = []
    for fault, endpoints in faults:
        for endpoint in endpoints:
            canary.faults.add(fault, endpoint)
        jobs.deadlines = replace(patience(fault), attempts=1)
        calls = list(everything(jobs, package, session, server_id))
        for call in calls[2:] if endpoints is READING else calls[:2]:
            try:
                call()
            except QVLMError as ex:
                errors.append(ex)
        secrets |= set(secrets_of(jobs))
        canary.faults.clear()
    assert len({type(error) for error in errors}) >= 4
    assert len(secrets) > 2, "no token was replaced"
    said = [told(error) for error in errors]
    said += [repr(jobs), repr(jobs._sign_in), repr(jobs._backend), repr(jobs._backend.service)]
    said += [caplog.text, *capfd.readouterr()]
    for secret in secrets:
        assert secret not in "\n".join(said)
    assert "canary" not in "\n".join(said)


def echo(jobs, package, monkeypatch, status, text):
    """What is said when the server repeats the request's authorization."""
    session = jobs._client._session
    transport = session.adapters["http://"]
    once = transport._once

    def answered(request, record, ends, options):
        response = once(request, record, ends, options)
        authorization = request.headers["Authorization"]
        body = text.format(authorization=authorization, token=authorization[7:], key=CANARY)
        response.status_code = record.exchanges[-1].status = status
        response._content = record.exchanges[-1].body = body.encode()
        return response

    monkeypatch.setattr(transport, "_once", answered)
    errors = []
    for call in everything(jobs, package, "session-1", "job-1"):
        with pytest.raises(QVLMError) as caught:
            call()
        errors.append(caught.value)
    monkeypatch.undo()
    return "\n".join(map(told, errors))


SLOW = [pytest.param(status, marks=pytest.mark.slow) for status in (401, 500)]


@pytest.mark.parametrize(
    "text",
    [
        '{{"errors": [{{"code": 7, "message": "bad header Authorization: {authorization}"}}]}}',
        '{{"errors": [{{"code": 7, "message": "no {token} and {key}"}}]}}',
        '{{"error": {{"code": 7, "message": "apikey {key}"}}}}',
        "<html>{authorization} {key}</html>",
    ],
)
@pytest.mark.parametrize("status", [400, *SLOW])
def test_a_server_that_repeats_the_token_is_not_repeated(
    canary, package, monkeypatch, status, text
):
    jobs = RuntimeJobs(fetch_machine(DEVICE), deadlines=ONCE)
    secrets = secrets_of(jobs)
    said = echo(jobs, package, monkeypatch, status, text)
    assert str(status) in said
    for secret in [*secrets, *secrets_of(jobs)]:
        assert secret not in said


@pytest.mark.parametrize("answer", [400, 401, 500, "down", "nonsense"])
def test_a_failed_sign_in_never_sends_the_key_to_the_service(
    canary, package, monkeypatch, caplog, answer
):
    caplog.set_level(logging.DEBUG)
    machine = fetch_machine(DEVICE)
    jobs = RuntimeJobs(machine, deadlines=PATIENT)
    manager = jobs._client._session.auth._auth.tm
    jobs._sign_in.drop(f"Bearer {manager.access_token}")
    seen = []
    monkeypatch.setattr(canary.identity, "check", lambda header: seen.append(header))
    if answer == "down":
        monkeypatch.setattr(manager, "url", "http://127.0.0.1:9")
    elif answer == "nonsense":
        monkeypatch.setattr(canary.identity, "issue", lambda key: {"access_token": f"no {key}"})
    else:
        canary.faults.add("error_before", "token", value=answer)
    submit, _, status, *_ = everything(jobs, package, "session-1", "job-1")
    for call in (submit, status):
        with pytest.raises(QVLMError, match="sign-in") as caught:
            call()
        assert "canary" not in told(caught.value)
    assert seen == [], "a request went out without a token"
    assert canary.jobs.posts == []
    assert "canary" not in caplog.text


def test_no_error_holds_the_request_that_held_the_key(canary, package):
    """Not only the words: nothing reachable from an error leads to a request or to the account."""
    jobs = RuntimeJobs(fetch_machine(DEVICE), deadlines=PATIENT)
    canary.faults.add("error_after")
    with pytest.raises(QVLMError) as caught:
        jobs.submit(package, "leak", max_seconds=60)
    error = caught.value.with_traceback(None)
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | types.ModuleType | types.FunctionType):
            continue
        seen.add(id(one))
        assert not isinstance(one, requests.PreparedRequest | requests.Session | RuntimeJobs)
        waiting += gc.get_referents(one)


def test_what_looks_like_a_secret_is_taken_out():
    token = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2lnbmF0dXJl"
    text = f"Bearer {token}\napikey abcdefghijklmnopqrst; token=abcdefghi, {token} my-own-key."
    said = redacted(text, ["my-own-key"])
    assert "\n" not in said
    for secret in (token, "abcdefghi", "my-own-key"):
        assert secret not in said
    assert redacted("Job not found: job-12.") == "Job not found: job-12."
    assert len(redacted("x" * 5000)) <= 300
