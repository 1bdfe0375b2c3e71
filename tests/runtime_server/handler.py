"""The HTTP side: threads, connections, and what faults do to them."""

from __future__ import annotations

import gzip
import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .admin import answer_admin
from .errors import RefusedError, invalid, rate_limited
from .faults import corrupt
from .messages import Request, Response, match

if TYPE_CHECKING:
    from .server import RuntimeServer


class LoopbackServer(ThreadingHTTPServer):
    """Threads for connections, which can all be closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: RuntimeServer) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self.connections):
            _hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the server; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was quicker


class _DropError(Exception):
    """The connection is to be closed without an answer."""


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the faults act, and writes the answer."""

    protocol_version = "HTTP/1.1"
    # Without them every answer waits 40 ms for the client's acknowledgement of its header.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: LoopbackServer

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """`_serve` logs."""

    def _serve(self) -> None:
        owner = self.server.owner
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        request = Request(self.command, parts.path, parse_qs(parts.query), self.headers, body)
        try:
            response = self._respond(request)
        except _DropError:
            self.close_connection = True
            _hang_up(self.connection)
            owner.log(f"{self.command} {self.path} - {' '.join(request.faults)}")
            return
        self._send(request, response)
        accepted = request.post.job_ids if request.post else []
        told = " ".join([*accepted, *request.tags, *request.faults] if accepted else request.faults)
        owner.log(f"{self.command} {self.path} {response.status} {told}".rstrip())

    def _respond(self, request: Request) -> Response:
        owner = self.server.owner
        try:
            if request.path.startswith("/_admin/"):
                return answer_admin(owner, request)
            found = match(request.method, request.path)
            if found is None:
                raise RefusedError(404, 1404, f"No such endpoint: {request.method} {request.path}.")
            endpoint, names = found
            tags = request.tags if endpoint == "submit" else []
            request.faults = owner.faults.meeting(endpoint, tags)
            if endpoint == "submit":
                request.post = owner.jobs.note_post(tags, list(request.faults))
            self._fail_before(request)
            response = owner.api.answer(endpoint, names, request)
            return self._fail_after(request, response)
        except RefusedError as refusal:
            return Response(refusal.status, refusal.body(), refusal.headers)

    def _fail_before(self, request: Request) -> None:
        """Faults that keep the request from being done."""
        faults, owner = request.faults, self.server.owner
        if "expired_token" in faults:
            owner.identity.withdraw()
        if "drop_before" in faults:
            raise _DropError
        if "hang_before" in faults:
            self._hang(faults["hang_before"].number(86400.0))
        if "rate_limited" in faults:
            raise rate_limited(faults["rate_limited"].number(1.0))
        if "invalid" in faults:
            raise invalid("The job's inputs are not valid.")
        if "error_before" in faults:
            raise _failure(faults["error_before"].number(500.0))

    def _fail_after(self, request: Request, response: Response) -> Response:
        """Faults that spoil the answer to a request that has been done."""
        faults, owner = request.faults, self.server.owner
        if "slow" in faults:
            owner.stopping.wait(faults["slow"].number(1.0))
        if "drip" in faults:
            self._drip(faults["drip"].number(60.0))
        if "redirect" in faults:
            port = self.server.server_address[1]
            there = f"http://localhost:{port}{self.path}"
            return Response(int(faults["redirect"].number(307)), None, {"Location": there})
        if "drop_after" in faults:
            raise _DropError
        if "hang_after" in faults:
            self._hang(faults["hang_after"].number(86400.0))
        if "error_after" in faults:
            raise _failure(faults["error_after"].number(500.0))
        return response

    def _hang(self, seconds: float) -> None:
        self.server.owner.stopping.wait(seconds)
        raise _DropError

    def _drip(self, seconds: float) -> None:
        """Keep the connection alive without ever answering."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _ in range(int(seconds / 0.05)):
            if self.server.owner.stopping.wait(0.05):
                break
            self.wfile.write(b" ")
            self.wfile.flush()
        raise _DropError

    def _send(self, request: Request, response: Response) -> None:
        content = response.content
        text = json.dumps(content) if isinstance(content, dict) else content or ""
        body = text.encode()
        if "corrupted" in request.faults:
            body = corrupt(body)
        if "truncated" in request.faults:
            body = body[: len(body) // 2]
        kind = "application/json" if isinstance(content, dict) else "text/plain; charset=utf-8"
        self.send_response(response.status)
        if "bomb" in request.faults:
            body = gzip.compress(b" " * int(request.faults["bomb"].number(1.0) * 2**20))
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "cut" in request.faults:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            _hang_up(self.connection)
        elif response.status != 204:
            self.wfile.write(body)


def _failure(status: float) -> RefusedError:
    return RefusedError(int(status), 1000, "Internal error.", "Try again.")
