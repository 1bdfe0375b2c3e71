"""The HTTP adapter under the Runtime client, against a server that does what a script says."""

import contextlib
import copy
import socket
import time

import pytest
import requests

from qvlm_qiskit.backends.ibm import wire
from qvlm_qiskit.backends.ibm.transport import Transport, UnsafeAddressError, is_loopback
from qvlm_qiskit.backends.ibm.wire import Deadlines, recording
from tests.backends.ibm.transport.conftest import SHORT, answer, call, drip, drop, hang, truncate


@pytest.mark.parametrize("step", [answer(500), answer(504), answer(429), drop, truncate, hang])
def test_a_post_is_sent_once(session, server, step, waits):
    server.steps = [step]
    _, record, seconds = call(session, server, "POST", data=b"job")
    assert [seen[0] for seen in server.seen] == ["POST"]
    assert len(record.exchanges) == 1
    assert waits == []
    assert seconds < 2


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


def test_a_refused_connection_is_not_a_sent_request(session):
    with contextlib.closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/jobs"
        with recording(SHORT) as record, pytest.raises(requests.ConnectionError):
            session.post(url, data=b"job")
    assert [(e.state, e.failure) for e in record.exchanges] == [("unsent", "ConnectionError")]


def test_a_connection_that_is_never_taken_is_not_a_sent_request(session):
    with contextlib.closing(socket.socket()) as busy, contextlib.ExitStack() as clients:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(3):  # fill the queue
            waiting = clients.enter_context(contextlib.closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(busy.getsockname())
        url = f"http://127.0.0.1:{busy.getsockname()[1]}/jobs"
        with recording(SHORT) as record, pytest.raises(requests.RequestException):
            session.post(url, data=b"job")
    assert [exchange.state for exchange in record.exchanges] == ["unsent"]


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
    server.steps = [answer(429, Retry_After="60")]
    response, record, _ = call(session, server)
    assert response.status_code == 429
    assert waits == [2.0]
    assert record.exchanges[-1].retry_after_seconds == 60


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
    assert 0.3 <= seconds < SHORT.read_seconds + 0.5


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dripping_answer_ends_in_time(session, server, method, stated):
    server.steps = [drip(stated)]
    outcome, record, seconds = call(
        session, server, method, deadlines=Deadlines(read_seconds=0.6, write_seconds=0.6)
    )
    assert isinstance(outcome, requests.exceptions.ReadTimeout)
    assert record.exchanges[-1].body is None
    assert seconds < 1.5


def test_nothing_is_written_after_the_last_moment(session, server):
    server.steps = [answer(200)]
    with recording(SHORT, time.time() - 1) as record, pytest.raises(requests.RequestException):
        session.post(server.url + "/jobs", data=b"job")
    assert server.seen == []
    assert [exchange.state for exchange in record.exchanges] == ["unsent"]


@pytest.mark.parametrize(("write_seconds", "status"), [(5, 200), (0.4, None)])
def test_an_upload_may_take_longer_than_a_connection(session, server, write_seconds, status):
    """urllib3 limits the upload by the connect timeout; here the request's deadline does."""
    server.steps, server.pause = [answer(200)], 0.6
    deadlines = Deadlines(connect_seconds=0.2, write_seconds=write_seconds)
    body = b"x" * 20_000_000
    _, record, _ = call(session, server, "POST", data=body, deadlines=deadlines)
    (exchange,) = record.exchanges
    assert exchange.status == status
    assert exchange.state == ("answered" if status else "sent")


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


@pytest.mark.parametrize("clock", ["time", "clock_gettime"])
def test_a_computer_that_slept_while_it_connected_sends_nothing(
    clock, session, server, monkeypatch
):
    """`time.monotonic` stands still meanwhile; one of the other clocks must be enough.

    The wall clock may have been set back, and the clock since boot may not be there.
    """
    real, asleep = getattr(time, clock), [0.0]
    monkeypatch.setattr(time, clock, lambda *which: real(*which) + asleep[0])
    if clock == "time":
        monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    connect = wire._Telling.connect

    def sleeping(connection):
        asleep[0] += 3600.0
        connect(connection)

    monkeypatch.setattr(wire._Telling, "connect", sleeping)
    server.steps = [answer(200)]
    with recording(SHORT, time.time() + 600) as record, pytest.raises(requests.RequestException):
        session.post(server.url + "/jobs", data=b"job")
    assert [e.state for e in record.exchanges] == ["unsent"]
    assert server.seen == []


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
