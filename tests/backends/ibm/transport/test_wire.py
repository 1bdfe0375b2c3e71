"""What a request's connection notes, and until when it may send and read."""

import contextlib
import socket
import time

import pytest
import requests

from qvlm_qiskit.backends.ibm import wire
from qvlm_qiskit.backends.ibm.wire import Deadlines, recording
from tests.backends.ibm.transport.conftest import SHORT, TIMEOUTS, answer, call, drip


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


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dripping_answer_ends_in_time(session, server, method, stated):
    server.steps = [drip(stated)]
    outcome, record, seconds = call(
        session, server, method, deadlines=Deadlines(read_seconds=0.6, write_seconds=0.6)
    )
    assert isinstance(outcome, TIMEOUTS)
    assert record.exchanges[-1].body is None
    assert seconds < 10


def test_nothing_is_written_after_the_last_moment(session, server):
    server.steps = [answer(200)]
    with recording(SHORT, time.time() - 1) as record, pytest.raises(requests.RequestException):
        session.post(server.url + "/jobs", data=b"job")
    assert server.seen == []
    assert [exchange.state for exchange in record.exchanges] == ["unsent"]


@pytest.mark.parametrize(("write_seconds", "status"), [(60, 200), (2.0, None)])
def test_an_upload_may_take_longer_than_a_connection(session, server, write_seconds, status):
    """urllib3 limits the upload by the connect timeout; here the request's deadline does."""
    server.steps, server.pause = [answer(200)], 0.9 if status else 60.0
    deadlines = Deadlines(connect_seconds=0.5, write_seconds=write_seconds)
    body = b"x" * 20_000_000
    _, record, _ = call(session, server, "POST", data=body, deadlines=deadlines)
    (exchange,) = record.exchanges
    assert exchange.status == status
    assert exchange.state == ("answered" if status else "sent")


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
