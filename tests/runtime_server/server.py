"""`RuntimeServer`, which puts everything together."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from unittest import mock

from qiskit_ibm_runtime import QiskitRuntimeService

from .auth import API_KEY, Identity
from .clock import Clock
from .execute import ProgramRunner
from .faults import Faults
from .handler import LoopbackServer
from .jobs import Jobs
from .machines import Machine
from .messages import ENDPOINTS
from .records import JobRecord
from .routes import Service
from .sessions import Sessions
from .store import JobFolder

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/loopback:loopback::"
# The client takes a URL that contains "experimental" as it is and derives no address from it.
API_PATH = "/experimental/api/v1"

_ENVIRONMENT = threading.Lock()


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
        run_seconds: How long a job is Running, which its maximum time is compared with; 0 for as
            long as the simulation takes.
        plan: "open" refuses sessions; any other name allows them.
        rate_limit: `POST /jobs` a minute (5 on the real service) before 429; None for no limit.
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
        self._http: LoopbackServer | None = None

    def start(self) -> RuntimeServer:
        """Listen, and start the machines' workers."""
        self._http = LoopbackServer(self.address, self)
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
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self._port

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host, port = self.address
        return f"http://{host}:{port}"

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

        The environment is set only while it is made, by one thread at a time: the client reads it
        then.
        """
        with _ENVIRONMENT, mock.patch.dict(os.environ, self.environment()):
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
