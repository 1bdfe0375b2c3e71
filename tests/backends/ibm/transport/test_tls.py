"""A promise across `ibm`: what counts as sent, behind TLS and through proxies.

Tests no single module.
"""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qvlm_qiskit.backends.ibm.wire import Deadlines
from qvlm_qiskit.errors import BackendError
from tests.backends.ibm.transport.conftest import TIMEOUTS, answer, call, drip, drop, hang


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
    assert seconds < 10


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
        assert isinstance(outcome, TIMEOUTS)
        assert seconds < 10


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
