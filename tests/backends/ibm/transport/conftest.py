"""A server that does what a script says, and a session with the transport before it."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from qvlm_qiskit.backends.ibm.transport import Transport
from qvlm_qiskit.backends.ibm.wire import Deadlines, recording

SHORT = Deadlines(
    connect_seconds=1, silence_seconds=0.3, read_seconds=3, download_seconds=3, write_seconds=0.6
)

PATIENT = Deadlines()
TIMEOUTS = (requests.exceptions.ReadTimeout, requests.ConnectionError)
"""What requests makes of a body that does not come: which, depends on where it was waited for."""


class Script(ThreadingHTTPServer):
    """Answers each request with the next step of a list, and the last one from then on."""

    daemon_threads = True
    scheme = "http"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.steps, self.seen, self.stopping = [], [], threading.Event()
        self.pause = 0.0  # before a request's body is read

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up is expected here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.stopping.wait(self.server.pause)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        steps = self.server.steps
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        self.server.seen.append((self.command, self.headers.get("Authorization"), len(body)))
        step(self)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815


def answer(status, body=b"{}", **headers):
    def step(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return step


def drop(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def truncate(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"half":')
    handler.close_connection = True


def hang(handler):
    handler.server.stopping.wait(20)
    handler.close_connection = True


def drip(stated):
    """A byte now and then; without a stated length the body just ends."""

    def step(handler):
        handler.send_response(200)
        if stated:
            handler.send_header("Content-Length", "1000")
        handler.send_header("Connection", "close")
        handler.end_headers()
        while not handler.server.stopping.wait(0.05):
            handler.wfile.write(b" ")

    return step


@pytest.fixture
def server():
    made = Script()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.stopping.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def session(waits):
    made = requests.Session()
    made.trust_env = False
    transport = Transport(sleep=waits.append)
    made.mount("http://", transport)
    made.mount("https://", transport)
    yield made
    made.close()


def call(session, server, method="GET", path="/api/v1/jobs", deadlines=None, **options):
    """(response or exception, record, seconds).

    Only what is never answered is given up soon: a busy machine may take its time to answer.
    """
    deadlines = deadlines or (SHORT if hang in server.steps else PATIENT)
    begun = time.monotonic()
    with recording(deadlines) as record:
        try:
            # 900 s is what the client asks for; the transport decides.
            outcome = session.request(method, server.url + path, timeout=900, **options)
        except requests.RequestException as ex:
            outcome = ex
    return outcome, record, time.monotonic() - begun
