"""The table from a request's fate to the ledger's error, without any request."""

import json

import pytest
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMBackendApiProtocolError

from qvlm_qiskit.backends.ibm import outcomes
from qvlm_qiskit.backends.ibm.account import SignInError
from qvlm_qiskit.backends.ibm.transport import UnsafeAddressError
from qvlm_qiskit.backends.ibm.wire import Exchange, Record
from qvlm_qiskit.backends.service import (
    AmbiguousError,
    DeniedError,
    NoSuchJobError,
    NotAcceptedError,
    RefusedError,
    UnreachableError,
)

GET = Exchange("GET", "/api/v1/instances/usage", "answered", 200, b"{}")


def post(state="answered", status=None, body=b"{}", **more):
    return Exchange("POST", "/api/v1/jobs", state, status, body, **more)


def said(message, code=7):
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def error(*exchanges, failure=None, in_session=False):
    with pytest.raises(Exception) as caught:
        outcomes.submitted(
            Record(exchanges=list(exchanges)), failure, ["hidden"], in_session=in_session
        )
    return caught.value


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (post("unsent", body=None, failure="ConnectTimeout"), NotAcceptedError),
        (post("sent", body=None, failure="ConnectionError"), AmbiguousError),
        *((post(status=status), AmbiguousError) for status in (200, 202, 302, 307, 408, 499)),
        *((post(status=status), AmbiguousError) for status in (500, 502, 503, 504, 520, 524)),
        # What was answered may have been accepted all the same.
        *((post(status=status), DeniedError) for status in (401, 429)),
        *(
            (post(status=status, body=said("no")), DeniedError)
            for status in (400, 402, 403, 404, 405, 409, 413, 415, 422)
        ),
        # A proxy's page, a gateway's own form, or an answer broken off: not the service's word.
        *(
            (post(status=status, body=body), AmbiguousError)
            for status in (400, 403, 404, 407, 422)
            for body in (b"<html>403 Forbidden</html>", b"{}", b'{"errors": []}', b"", None)
        ),
        *((post(status=status, body=b"<html>"), DeniedError) for status in (413, 431)),
        *((post(status=200, body=body), AmbiguousError) for body in (None, b"", b"[]", b"{")),
        *(
            (post(status=200, body=json.dumps({"id": wrong}).encode()), AmbiguousError)
            for wrong in (None, 7, "", "a b", "job-!!", ["a"])
        ),
        (post(status=400, body=None, failure="ChunkedEncodingError"), AmbiguousError),
    ],
)
def test_the_fate_of_a_post_decides(exchange, expected):
    # Whatever the client raised: it says the same for opposite things.
    for failure in (None, RequestsApiError("nothing was sent"), KeyError("id")):
        assert type(error(GET, exchange, failure=failure)) is expected


def test_an_accepted_job_is_accepted_whatever_the_client_did_next():
    record = Record(exchanges=[GET, post(status=200, body=b'{"id": "job-1"}'), GET])
    failure = RequestsApiError("later")
    assert outcomes.submitted(record, failure, [], in_session=False) == "job-1"


@pytest.mark.parametrize(
    "body",
    [
        said("whatever", 1217),
        said("Session session-1 has been closed."),
        said("The session is no longer active"),
        said("Session is not accepting jobs: the session does not accept new ones"),
    ],
)
def test_a_closed_session_is_told_from_a_refusal(body):
    denied = [
        error(post(status=400, body=body), in_session=True),
        error(post(status=400, body=body)),
        error(post(status=400, body=said("params is not an object")), in_session=True),
    ]
    assert all(type(one) is DeniedError for one in denied)
    assert [(one.session_closed, one.final) for one in denied] == [
        (True, False),
        (False, True),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("exchanges", "failure", "expected"),
    [
        ([], ValueError("bad pub"), RefusedError),
        ([GET], ValueError("bad pub"), RefusedError),
        ([], SignInError("no key"), NotAcceptedError),
        ([], OSError("disk"), NotAcceptedError),
        ([GET], UserWarning("limit reached"), NotAcceptedError),
        ([GET], RequestsApiError("later"), NotAcceptedError),
        # What the client stumbles over in an answer that has not the documented form.
        ([GET], KeyError("usage_consumed_seconds"), NotAcceptedError),
        ([GET], TypeError("NoneType"), NotAcceptedError),
        ([GET], AttributeError("get"), NotAcceptedError),
        ([GET], IBMBackendApiProtocolError("configuration"), NotAcceptedError),
        ([Exchange("GET", "/usage", "answered", 200, b"<html>")], ValueError(), NotAcceptedError),
        ([Exchange("GET", "/usage", "answered", 200, b"[]")], ValueError(), NotAcceptedError),
        ([], KeyError("options"), RefusedError),
        ([], UnsafeAddressError("plain http"), RefusedError),
        ([Exchange("GET", "/usage", "sent", failure="ReadTimeout")], None, NotAcceptedError),
        ([Exchange("GET", "/usage", "answered", 503, b"")], ValueError(), NotAcceptedError),
        ([Exchange("POST", "/api/v1/sessions", "sent")], None, NotAcceptedError),
    ],
)
def test_what_ends_before_the_post_was_surely_not_accepted(exchanges, failure, expected):
    assert type(error(*exchanges, failure=failure)) is expected


def test_the_pause_that_the_server_asks_for_is_kept():
    assert error(post(status=429, retry_after_seconds=12.0)).retry_after_seconds == 12.0
    before = Exchange("GET", "/usage", "answered", 429, b"", retry_after_seconds=9.0)
    assert error(before).retry_after_seconds == 9.0


def test_messages_hold_the_servers_words_without_secrets():
    said_so = str(error(post(status=400, body=said("hidden key\nis bad", 12))))
    assert said_so == "POST /api/v1/jobs: answered 400 (12 [redacted] key is bad)"
    old_form = json.dumps({"error": {"code": 3, "message": "no"}}).encode()
    assert "(3 no)" in str(error(post(status=422, body=old_form)))


@pytest.mark.parametrize("body", [None, b"", b"null", b"[]", b'{"errors": []}', b'{"errors": 4}'])
def test_errors_without_words_are_described_all_the_same(body):
    assert outcomes.server_error(post(status=500, body=body)) == (None, "")
    assert "answered 500" in outcomes.described(post(status=500, body=body), [])


@pytest.mark.parametrize(
    ("exchange", "failure", "expected"),
    [
        (Exchange("GET", "/jobs/1", "answered", 404, said("Job not found")), None, NoSuchJobError),
        # A gateway's 404 says nothing about the job.
        (Exchange("GET", "/jobs/1", "answered", 404, b"<html>"), None, UnreachableError),
        (Exchange("GET", "/jobs/1", "answered", 403, said("no")), None, UnreachableError),
        (Exchange("GET", "/jobs/1", "sent"), None, UnreachableError),
        (GET, KeyError("state"), UnreachableError),
        (None, SignInError("no key"), UnreachableError),
    ],
)
def test_a_question_without_a_usable_answer(exchange, failure, expected):
    record = Record(exchanges=[exchange] if exchange else [])
    assert type(outcomes.unread(record, failure, [])) is expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, said("no"), RefusedError),
        (403, said("no"), RefusedError),
        (403, b"<html>", UnreachableError),
        (401, said("no"), UnreachableError),
        (429, said("no"), UnreachableError),
    ],
)
def test_a_session_that_is_refused(status, body, expected):
    record = Record(exchanges=[Exchange("POST", "/sessions", "answered", status, body)])
    assert type(outcomes.opened(record, None, [])) is expected
    assert type(outcomes.opened(Record(), SignInError("no"), [])) is UnreachableError
