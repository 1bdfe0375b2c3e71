"""The HTTP side, and `RuntimeServer`, which puts everything together."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from qiskit_ibm_runtime import QiskitRuntimeService

from .admin import answer_admin
from .auth import API_KEY, Identity
from .clock import Clock
from .errors import RefusedError, invalid, rate_limited
from .execute import ProgramRunner
from .faults import Faults, corrupt
from .jobs import JobRecord, Jobs
from .machines import Machine
from .routes import ENDPOINTS, Request, Response, Service, match
from .sessions import Sessions
from .store import JobFolder

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/loopback:loopback::"
# The client takes a URL that contains "experimental" as it is and derives no address from it.
API_PATH = "/experimental/api/v1"


class RuntimeServer(AbstractContextManager["RuntimeServer"]):
    """IBM's Runtime service on 127.0.0.1, for the unmodified `QiskitRuntimeService`.

    Use it as a context manager, or call `start` and `stop`.

    Args:
        backends: Fake backends to offer, such as "fake_torino".
        instant: Simulate nothing: nearly all measured bits are 0 (all values 1 in legacy jobs), in
            the shapes and formats of real results.
        port: 0 takes a free one.
        seed: Of the simulation and of the faults' probabilities.
        queue_seconds: How long a job is Queued at least.
        run_seconds: How long a job is Running at least; what its maximum time is compared with.
        plan: "open" refuses sessions; any other name allows them.
        rate_limit: Accepted `POST /jobs` a minute (5 on the real service); None for no limit.
        token_seconds: Lifetime of access tokens.
        allowance_seconds: QPU time of the instance, as `GET /instances/usage` says.
        folder: Where jobs outlive the server.
        log: Called with one line for every request.

    Attributes:
        jobs: The accepted jobs: iterate over them, or ask `tagged` and `posts_tagged`.
        sessions: Sessions and batches.
        faults: What goes wrong: `faults.add("error_after", nth=2, value=504)`.
    """

    def __init__(
        self,
        backends: Sequence[str] = ("fake_torino",),
        *,
        instant: bool = False,
        port: int = 0,
        seed: int = 0,
        queue_seconds: float = 0.0,
        run_seconds: float = 0.0,
        plan: str = "premium",
        rate_limit: int | None = None,
        token_seconds: float = 3600.0,
        allowance_seconds: float = 600.0,
        folder: Path | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.clock = Clock()
        machines = {name: Machine(name) for name in backends}
        self.jobs = Jobs(
            self.clock,
            ProgramRunner(machines, instant, seed),
            queue_seconds,
            run_seconds,
            None if folder is None else JobFolder(folder),
        )
        self.sessions = Sessions(self.clock, plan)
        self.faults = Faults(seed, ENDPOINTS)
        self.identity = Identity(self.clock, API_KEY, token_seconds)
        self.stopping = threading.Event()
        self.api = Service(
            self.clock,
            machines,
            self.jobs,
            self.sessions,
            self.identity,
            self.faults,
            CRN,
            plan,
            rate_limit,
            allowance_seconds,
        )
        self._port = port
        self._log = log
        self._http: _Server | None = None

    def start(self) -> RuntimeServer:
        """Listen, and start the machines' workers."""
        self._http = _Server(("127.0.0.1", self._port), self)
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        for name in self.api.machines:
            self.jobs.start(name)
        return self

    def stop(self) -> None:
        """Close every connection and end every thread; a running program is waited for."""
        self.stopping.set()
        if self._http:
            self._http.shutdown()
            self._http.close_connections()
            self._http.server_close()
        self.jobs.stop()

    def __enter__(self) -> RuntimeServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    def account(self) -> dict[str, str]:
        """Keyword arguments of `QiskitRuntimeService`; `environment` must be set besides."""
        return {
            "channel": "ibm_quantum_platform",
            "token": API_KEY,
            "instance": CRN,
            "url": f"{self.url}{API_PATH}",
        }

    def environment(self) -> dict[str, str]:
        """Variables under which `QiskitRuntimeService()` without arguments finds this server."""
        direct = [os.environ.get("NO_PROXY", ""), "127.0.0.1"]
        return {
            "QISKIT_IBM_TOKEN": API_KEY,
            "QISKIT_IBM_INSTANCE": CRN,
            "QISKIT_IBM_URL": f"{self.url}{API_PATH}",
            "IAM_URL": self.url,
            "GLOBAL_SEARCH_URL": f"{self.url}/global-search",
            "GLOBAL_CATALOG_URL": f"{self.url}/global-catalog",
            "NO_PROXY": ",".join(filter(None, direct)),
        }

    def service(self) -> QiskitRuntimeService:
        """A new unmodified client, logged in here.

        The environment is set only while it is made: the client reads it then.
        """
        with mock.patch.dict(os.environ, self.environment()):
            return QiskitRuntimeService(**self.account())

    def advance(self, seconds: float) -> None:
        """Let the server's time pass: queues, run times, listing lags, rate limits, tokens."""
        self.clock.advance(seconds)

    def wait(self, timeout: float = 60.0) -> list[JobRecord]:
        """Wait until every job is final, and return all jobs.

        Raises:
            TimeoutError: Some are not after `timeout` seconds.
        """
        with self.clock.condition:
            done = self.clock.condition.wait_for(
                lambda: all(record.final for record in self.jobs), timeout
            )
        if not done:
            raise TimeoutError(f"jobs are not final after {timeout} s")
        return list(self.jobs)

    def log(self, line: str) -> None:
        """Hand a line to whoever wants to see the requests."""
        if self._log:
            self._log(f"{time.strftime('%H:%M:%S')} {line}")


class _Server(ThreadingHTTPServer):
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
        import sys

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
    server: _Server

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
        named = " ".join(request.faults)
        owner.log(f"{self.command} {self.path} {response.status} {named}".rstrip())

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
        self.send_header("Content-Type", kind)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "cut" in request.faults:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            _hang_up(self.connection)
        elif response.status != 204:
            self.wfile.write(body)


def _failure(status: float) -> RefusedError:
    return RefusedError(int(status), 1000, "Internal error.", "Try again.")
