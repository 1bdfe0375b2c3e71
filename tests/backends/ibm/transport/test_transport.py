"""The HTTP adapter under the Runtime client, against a server that does what a script says."""

import copy
import gzip

import pytest
import requests

from qvlm_qiskit.backends.ibm.transport import (
    ContentTooLargeError,
    Transport,
    UnsafeAddressError,
    is_loopback,
)
from qvlm_qiskit.backends.ibm.wire import Deadlines
from tests.backends.ibm.transport.conftest import SHORT, answer, call, drop, hang, truncate


@pytest.mark.parametrize("step", [answer(500), answer(504), answer(429), drop, truncate, hang])
def test_a_post_is_sent_once(session, server, step, waits):
    server.steps = [step]
    _, record, seconds = call(session, server, "POST", data=b"job")
    assert [seen[0] for seen in server.seen] == ["POST"]
    assert len(record.exchanges) == 1
    assert waits == []
    assert seconds < 10


@pytest.mark.parametrize(
    ("step", "state", "status", "complete"),
    [
        (answer(200), "answered", 200, True),
        (answer(504), "answered", 504, True),
        (truncate, "answered", 200, False),
        (drop, "sent", None, False),
        (hang, "sent", None, False),
    ],
)
def test_the_fate_of_a_post_is_noted(session, server, step, state, status, complete):
    server.steps = [step]
    _, record, _ = call(session, server, "POST", data=b"job")
    (exchange,) = record.exchanges
    assert (exchange.method, exchange.path) == ("POST", "/api/v1/jobs")
    assert (exchange.state, exchange.status) == (state, status)
    assert (exchange.body is not None) is complete
    assert (exchange.failure is None) is complete


def test_a_kept_connection_that_the_server_closed_does_not_make_a_post_unclear(session, server):
    server.steps = [answer(200)]
    call(session, server)
    _, record, _ = call(session, server, "POST", data=b"job")
    assert record.exchanges[0].status == 200
    # A POST has a connection of its own.
    assert len({seen[0] for seen in server.seen}) == 2


@pytest.mark.parametrize("step", [answer(503), answer(429), drop, truncate])
def test_a_get_is_repeated_until_it_is_whole(session, server, step, waits):
    server.steps = [step, step, answer(200, b'{"all": 1}')]
    response, record, _ = call(session, server)
    assert response.json() == {"all": 1}
    assert len(record.exchanges) == len(server.seen) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


def test_a_get_waits_as_long_as_it_is_told_and_gives_up_when_that_is_too_long(
    session, server, waits
):
    server.steps = [answer(429, Retry_After="2"), answer(200)]
    assert call(session, server)[0].status_code == 200
    assert waits == [2.0]
    server.steps = [answer(429, Retry_After="600")]
    response, record, _ = call(session, server)
    assert response.status_code == 429
    assert waits == [2.0]
    assert record.exchanges[-1].retry_after_seconds == 600


def test_a_get_is_not_repeated_without_end(session, server):
    server.steps = [answer(500)]
    response, record, _ = call(session, server, deadlines=Deadlines(attempts=3))
    assert response.status_code == 500
    assert len(record.exchanges) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_refused_get_is_not_repeated(session, server, status):
    server.steps = [answer(status)]
    assert call(session, server)[0].status_code == status
    assert len(server.seen) == 1


def test_a_get_that_is_never_answered_ends_in_time(session, server):
    server.steps = [hang]
    outcome, record, seconds = call(session, server)
    assert isinstance(outcome, requests.exceptions.ReadTimeout)
    assert {exchange.state for exchange in record.exchanges} == {"sent"}
    assert 0.3 <= seconds < SHORT.read_seconds + 8


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_post_is_not_sent_on(session, server, status):
    server.steps = [answer(status, Location="/elsewhere")]
    outcome, record, _ = call(session, server, "POST", data=b"job")
    assert isinstance(outcome, requests.RequestException)
    assert record.exchanges[0].status == status
    assert len(server.seen) == 1


class Tokens:
    def __init__(self):
        self.issued, self.dropped = 0, []

    def headers(self):
        self.issued += 1
        return {"Authorization": f"Bearer {self.issued}"}

    def drop(self, authorization):
        self.dropped.append(authorization)


@pytest.mark.parametrize(("method", "requests_seen"), [("GET", 2), ("POST", 1)])
def test_a_rejected_token_is_dropped_once(server, method, requests_seen):
    tokens = Tokens()
    server.steps = [answer(401)]
    with requests.Session() as session:
        session.mount("http://", Transport(tokens))
        headers = {"Authorization": "Bearer old"}
        response, _, _ = call(session, server, method, headers=headers)
    assert response.status_code == 401
    assert tokens.dropped == ["Bearer old"]
    assert len(server.seen) == requests_seen


@pytest.mark.parametrize("url", ["http://192.0.2.1/jobs", "http://example.org/", "http://[::2]/"])
def test_plain_http_leaves_this_computer_never(session, url):
    for method in ("GET", "POST"):
        with pytest.raises(UnsafeAddressError, match="plain http"):
            session.request(method, url)


def test_this_computer():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.8.0.3", "::1"]))
    assert not any(map(is_loopback, ["", None, "10.0.0.1", "127.0.0.1.example.org", "0.0.0.0"]))


def test_plain_http_to_this_computer_passes_no_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    monkeypatch.setenv("no_proxy", "")
    server.steps = [answer(200)]
    with requests.Session() as session:
        session.mount("http://", Transport())
        assert call(session, server)[0].status_code == 200


def test_a_copy_is_as_careful(session, server):
    server.steps = [answer(500)]
    copied = copy.deepcopy(session)
    call(copied, server, "POST", data=b"job")
    assert len(server.seen) == 1
    copied.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/", "https://127.0.0.1:{port}/", "//localhost:{port}/"]
)
def test_a_get_is_not_sent_on_to_another_origin(session, server, status, target):
    server.steps = [answer(status, Location=target.format(port=server.server_port)), answer(200)]
    outcome, record, _ = call(session, server)
    assert isinstance(outcome, requests.TooManyRedirects)
    assert len(server.seen) == len(record.exchanges) == 1


def test_a_get_is_sent_on_within_its_origin(session, server):
    server.steps = [answer(307, Location="/elsewhere"), answer(200, b'{"all": 1}')]
    assert call(session, server)[0].json() == {"all": 1}


def test_a_body_that_unpacks_to_more_than_is_read_is_cut_off(session, server, monkeypatch):
    packed = gzip.compress(b" " * 3 * 2**20)
    server.steps = [answer(200, packed, Content_Encoding="gzip")]
    monkeypatch.setenv("QVLM_MOST_MIB", "1")
    outcome, record, _ = call(session, server)
    assert isinstance(outcome, ContentTooLargeError)
    assert record.exchanges[0].body is None and len(record.exchanges) == 1
    monkeypatch.setenv("QVLM_MOST_MIB", "3")
    assert len(call(session, server)[0].content) == 3 * 2**20
