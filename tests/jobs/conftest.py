"""What the tests of jobs share: a small circuit, a store, and workers with little patience."""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from sqlalchemy import create_engine, text

from qvlm_qiskit.jobs import Budget, JobStore, Policy, Recorded, Worker
from tests.jobs.executions import StatesExecutions
from tests.jobs.unreliable import Clock

PATIENCE = Policy(
    lease_seconds=5.0,
    start_seconds=0.05,
    poll_seconds=0.001,
    longest_poll_seconds=0.02,
    first_retry_seconds=0.001,
    longest_retry_seconds=0.01,
    fetches=20,
)

UNHURRIED = replace(PATIENCE, start_seconds=60.0, lease_seconds=60.0)
"""For a single step that has to send: with PATIENCE a moment's pause of the machine is too late."""

HOURS = Policy(lease_seconds=1e6)
"""The real patience, with leases that outlive simulated time."""


@pytest.fixture
def circuit():
    made = QuantumCircuit(1)
    made.ry(Parameter("a"), 0)
    return made


@pytest.fixture
def place(tmp_path):
    """Arguments of `JobStore` for an empty store; some modules try PostgreSQL, too."""
    return tmp_path / "jobs", None


@pytest.fixture
def store(place):
    with_files = JobStore(*place)
    yield with_files
    with_files.close()


def values_of(keys):
    return np.asarray(keys, dtype=float).reshape(-1, 1)


@pytest.fixture
def buy(circuit, store, monkeypatch):
    """Asks for values through a service, as a forward pass does."""

    def ask(service, numbers, *, store=store, detach=False, run=None, budget=None, policy=PATIENCE,
            mode="job", owner=None, context=None):  # fmt: skip
        chosen = {} if owner is None else {"owner": owner}
        clock = getattr(service, "clock", time)
        if clock is not time:
            monkeypatch.setattr(store, "now", clock.time)
            monkeypatch.setattr("qvlm_qiskit.jobs.ledger.history.now_in", lambda _: clock.time())
            monkeypatch.setattr(
                "qvlm_qiskit.basics.computer.clocks.boot", lambda: ("boot", clock.running)
            )
            chosen["sleep"] = clock.sleep
        worker = Worker(store, service, budget or Budget(), policy, mode, **chosen)
        estimator = Recorded(
            StatesExecutions(), store, {"machine": service.machine, **(context or {})}, worker,
            run=run, detach=detach, rep_delay_seconds=250e-6,
        )  # fmt: skip
        pub = (circuit, "Z", values_of(numbers), 0.1)
        return estimator.run([pub]).result()[0].data.evs

    return ask


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets, in the place of the store's where requests are counted."""
    made = Clock()
    monkeypatch.setattr("qvlm_qiskit.jobs.worker.pacing.now_in", lambda _: made.time())
    return made


POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def as_postgres(command, **options):
    """PostgreSQL refuses to run as root: Debian's own user runs it then."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    return subprocess.run([str(part) for part in command], check=True, **options)


@pytest.fixture(scope="session")
def postgresql_server():
    """A private PostgreSQL on a Unix socket in a temporary folder; its URL without a database."""
    if not POSTGRESQL:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    binaries = POSTGRESQL[-1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    # Not pytest's own folder: a socket's path has at most 107 characters, and the folders above
    # must let Debian's user pass.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=100"
        as_postgres(
            [binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "qvlm"], **quiet
        )
        as_postgres(
            [binaries / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options,
             "start"], **quiet,
        )  # fmt: skip
        try:
            yield f"postgresql+psycopg://qvlm@/{{database}}?host={folder}"
        finally:
            as_postgres(
                [binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], **quiet
            )
    finally:
        shutil.rmtree(folder)


def sqlite_or_postgresql(request, tmp_path):
    """What a module's own fixture ``place`` of these two parameters gives."""
    if request.param == "sqlite":
        return tmp_path / "jobs", None
    return request.getfixturevalue("postgresql_url"), tmp_path / "blobs"


@pytest.fixture
def postgresql_url(postgresql_server):
    """The URL of an empty database; making one anew for every test would take a second each."""
    url = postgresql_server.format(database="postgres")
    outside = create_engine(url)
    with outside.begin() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    outside.dispose()
    return url
