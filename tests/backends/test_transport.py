"""The HTTP adapter under the Runtime client, against a server that does what a script says."""

import contextlib
import copy
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qvlm_qiskit.backends.transport import Transport, UnsafeAddressError, is_loopback
from qvlm_qiskit.backends.wire import Deadlines, recording
from qvlm_qiskit.errors import BackendError

SHORT = Deadlines(
    connect_seconds=1, silence_seconds=0.3, read_seconds=3, download_seconds=3, write_seconds=0.6
)


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


def call(session, server, method="GET", path="/api/v1/jobs", deadlines=SHORT, **options):
    """(response or exception, record, seconds)."""
    begun = time.monotonic()
    with recording(deadlines) as record:
        try:
            # 900 s is what the client asks for; the transport decides.
            outcome = session.request(method, server.url + path, timeout=900, **options)
        except requests.RequestException as ex:
            outcome = ex
    return outcome, record, time.monotonic() - begun


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, *form)
    )
    return str(path)


@pytest.fixture
def secure(server, certificate):
    """The server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.scheme = "https"
    return server


@pytest.mark.parametrize(
    ("step", "state", "status"),
    [(answer(200), "answered", 200), (drop, "sent", None), (hang, "sent", None)],
)
def test_the_fate_of_a_post_is_noted_behind_tls(session, secure, certificate, step, state, status):
    secure.steps = [step]
    _, record, seconds = call(session, secure, "POST", data=b"job", verify=certificate)
    assert [(e.state, e.status) for e in record.exchanges] == [(state, status)]
    assert len(secure.seen) == 1
    assert seconds < 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_can_not_be_trusted_gets_nothing(session, secure, method):
    secure.steps = [answer(200)]
    outcome, record, _ = call(session, secure, method)
    assert isinstance(outcome, requests.exceptions.SSLError)
    assert [exchange.state for exchange in record.exchanges] == ["unsent"]
    assert secure.seen == []


def test_a_dripping_answer_ends_in_time_behind_tls(session, secure, certificate):
    secure.steps = [drip(True)]
    short = Deadlines(read_seconds=0.6, write_seconds=0.6)
    for method in ("GET", "POST"):
        outcome, _, seconds = call(session, secure, method, deadlines=short, verify=certificate)
        assert isinstance(outcome, requests.exceptions.ReadTimeout)
        assert seconds < 1.5


@contextlib.contextmanager
def proxy(answer_to_connect, target):
    """An HTTP proxy for one connection, which it leads to the target where it says 200."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve():
            inside, _ = listening.accept()
            asked = inside.recv(4096)
            assert asked.startswith(b"CONNECT ")
            inside.sendall(f"HTTP/1.1 {answer_to_connect} x\r\n\r\n".encode())
            if answer_to_connect == 200:
                outside = socket.create_connection(("127.0.0.1", target))
                back = threading.Thread(target=pump, args=(outside, inside), daemon=True)
                back.start()
                pump(inside, outside)
                back.join()
                outside.close()
            inside.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(5)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("said", "step", "state", "status"),
    [
        (200, answer(200), "answered", 200),
        (200, drop, "sent", None),
        (503, answer(200), "unsent", None),
    ],
)
def test_a_proxys_tunnel_is_not_the_request(
    session, secure, certificate, said, step, state, status
):
    secure.steps = [step]
    with proxy(said, secure.server_port) as address:
        options = {"verify": certificate, "proxies": {"https": address}}
        _, record, _ = call(session, secure, "POST", data=b"job", **options)
        session.close()
    assert [(e.state, e.status) for e in record.exchanges] == [(state, status)]
    assert len(secure.seen) == (said == 200)


def test_a_proxy_that_hides_its_connections_is_refused(session, secure):
    with pytest.raises(BackendError, match="SOCKS"):
        call(session, secure, "POST", proxies={"https": "socks5://127.0.0.1:9"})


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
