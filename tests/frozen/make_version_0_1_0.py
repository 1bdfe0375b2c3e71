"""What version 0.1.0 leaves on disk, kept so that later versions are held to reading it.

    python -m tests.frozen.make_version_0_1_0        in the root of a clone of that version

trained the run folder and filled the ledger of ``version-0.1.0/`` with the commands of that
version, and wrote down in ``expected.json`` what it answered. It reaches into modules of version
0.1.0 and runs with no other one: it is kept to say how the files were made. Nothing of them is
ever made again; a later version's are made by a program of its own, in a folder of its own.

Every state was reached by the program itself. What stops it on the way are patches in a process
of its own: one that dies at a certain call, a machine that gives no answer or refuses, a job whose
process ends at once. Three things are another computer's than the one it ran on, so that no copy
depends on that one: the name of the host, the id of its boot, and the clock, which says 2025.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qvlm_qiskit.jobs.local import LocalJobs
from qvlm_qiskit.jobs.service import AmbiguousError, UnreachableError

from qvlm_qiskit import __version__, open_backend
from qvlm_qiskit.cli import main as command_line
from qvlm_qiskit.errors import BackendError
from qvlm_qiskit.jobs import JobStore, Recording, State, local, recorded_backend
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies import SubmitOptions, start_evaluation
from tests.runtime_server import RuntimeServer

KEPT = Path(__file__).parent / "version-0.1.0"
PLACE = Path("/tmp/qvlm-0.1.0")
"""Where the files were made; the requests in the ledger name ``run`` below it."""

HOST = "another-computer"
BOOT = "01234567-89ab-cdef-0123-456789abcdef"
BEGINS = 1735732800.0  # 2025-01-01 12:00 UTC
KILLED = 99

TRAINING = (
    "--recipe", "tiny", "--steps", "200", "--batch-size", "32", "--learning-rate", "0.01",
    "--train-samples", "200",
)  # fmt: skip
NOISE = {"name": "noisy:fake_manila", "shots": 100, "seed": 1}
MACHINE = ("--backend", NOISE["name"], "--shots", "100", "--seed", "1")
STORE = ("--store", "ledger")

Patches = Mapping[str, Any]


def apart(step: Callable[[], int | None], patches: Patches | None = None) -> tuple[int, str]:
    """A step in a process of its own, where patches reach nothing else; its status and output."""
    sys.stdout.flush()
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            status = 70
            try:
                os.dup2(said.fileno(), 1)
                with ExitStack() as stack:
                    for name, value in (patches or {}).items():
                        stack.enter_context(mock.patch(name, value))
                    status = step() or 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return status, said.read()


def qvlm(*words: Any, status: int = 0, patches: Patches | None = None) -> str:
    """What a command prints, which must end in a certain way."""
    found, said = apart(lambda: command_line([str(word) for word in words]), patches)
    if found != status:
        raise SystemExit(f"qvlm {' '.join(map(str, words))} ended with {found}")
    return said


def last(store: tuple[str, str] = STORE) -> str:
    """The id of the run that was begun last."""
    return str(json.loads(qvlm("jobs", "list", *store, "--json"))[-1]["id"])


def submitted(fresh: str, *more: Any, limit: int = 4, **how: Any) -> str:
    """An evaluation with rows of its own; its id."""
    qvlm("submit", "run", *MACHINE, "--limit", limit, "--fresh", fresh, *STORE, *more, **how)
    return last()


def written_down(fresh: str) -> str:
    """One of which nothing has been recorded or sent; its id."""

    def step() -> None:
        store = JobStore("ledger")
        options = SubmitOptions(limit=4, fresh=fresh)
        start_evaluation(Run.open(Path("run")), open_backend(**NOISE), store, options)

    assert apart(step)[0] == 0
    return last()


def not_affordable(fresh: str) -> str:
    """One whose first job is recorded and may not be sent."""
    run = written_down(fresh)
    qvlm("jobs", "resume", run, "--budget-executions", 1, *STORE, status=2)
    return run


# What goes wrong ------------------------------------------------------------------------------


def dies(*_: Any, **__: Any) -> Any:
    os._exit(KILLED)


def dies_at_the_second(self: LocalJobs, *args: Any, **options: Any) -> str:
    if list(self.spool.parent.glob("second")):
        os._exit(KILLED)
    (self.spool.parent / "second").touch()
    return SUBMIT(self, *args, **options)


def is_ambiguous(self: LocalJobs, *args: Any, **options: Any) -> str:
    SUBMIT(self, *args, **options)
    raise AmbiguousError("504 after it was accepted")


def is_away(*_: Any) -> Any:
    raise UnreachableError("nobody is there")


def refuses(*_: Any) -> Any:
    raise BackendError("the refrigerator is warm")


def ends_at_once(*_: Any) -> int:
    return os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)


SUBMIT = LocalJobs.submit
JOBS = "qvlm_qiskit.jobs"
AWAY = {f"{JOBS}.local.LocalJobs.status": is_away}
WARM = {f"{JOBS}.local.run_package": refuses}
EMPTY = {f"{JOBS}.local._spawn": ends_at_once}


# The ledger -----------------------------------------------------------------------------------


def fill() -> dict[str, str]:
    """Every state of submissions and runs; the ids of the runs by what became of them."""
    runs = {"done": submitted("", limit=6)}
    without_a_run()
    runs["done from the ledger"] = submitted("", limit=6)
    runs["done with mitigation"] = submitted("readout", "--mitigation", "readout", limit=2)
    runs["done on ibm"] = on_ibm()
    runs["done at the second attempt"] = submitted("second", status=2, patches=WARM)
    qvlm("jobs", "retry", last(), *STORE)

    runs["written down"] = written_down("written down")
    runs["intended"] = not_affordable("intended")
    posting = {f"{JOBS}.local.LocalJobs.submit": dies_at_the_second}
    runs["posting"] = submitted("posting", status=KILLED, patches=posting)
    Path("ledger", "second").unlink()
    unknown = {
        f"{JOBS}.local.LocalJobs.submit": is_ambiguous,
        f"{JOBS}.local.LocalJobs.find": is_away,
    }
    runs["unknown"] = submitted("unknown", "--detach", patches=unknown)
    runs["queued"] = submitted("queued", "--detach", patches=AWAY)
    runs["queued for another"] = submitted("queued", "--detach", patches=AWAY)
    runs["running"] = submitted("running", "--detach")
    fetching = {f"{JOBS}.local.LocalJobs.fetch": dies}
    runs["completed"] = submitted("completed", status=KILLED, patches=fetching)
    reading = {f"{JOBS}.follow.decode": dies}
    runs["stored"] = submitted("stored", status=KILLED, patches=reading)

    runs["refused"] = submitted("refused", status=2, patches=WARM)
    runs["failed"] = submitted("failed", "--detach", patches=EMPTY)
    qvlm("jobs", "resume", last(), *STORE, status=2, patches=EMPTY)
    runs["cancelled"] = submitted("cancelled", "--detach")
    qvlm("jobs", "cancel", last(), *STORE)
    runs["withdrawn"] = not_affordable("withdrawn")
    qvlm("jobs", "cancel", last(), *STORE)

    # Another computer counts what has no result as running there, for ever.
    deadline = time.monotonic() + 120
    while not all(map(ended, Path("ledger", "local").glob("*/process"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return runs


def ended(process: Path) -> bool:
    """Whether a local job has ended; one whose process ended without a result never says so."""
    given_up = json.loads(process.read_bytes())["starts"] == local.STARTS
    return given_up or any((process.parent / name).exists() for name in ("result", "error"))


def without_a_run() -> None:
    """Rows that a program asked for, one of them twice and once from nearby."""

    def step() -> None:
        store = JobStore("ledger")
        for values in ([0.1, 1.0, 2.0], [1.0], [1.0 + 1e-8]):
            ask(store, values)
        assert len([one for one in store.find() if one.run is None]) == 1

    assert apart(step)[0] == 0


def ask(store: JobStore, values: list[float]) -> Any:
    angle, circuit = Parameter("a"), QuantumCircuit(1)
    circuit.ry(angle, 0)
    estimator = recorded_backend(open_backend(**NOISE), store, Recording(fresh="alone")).estimator()
    pub = (circuit, [["Z"], ["X"]], np.reshape(values, (-1, 1)))
    return estimator.run([pub]).result()[0]


def on_ibm() -> str:
    """An evaluation by the client of IBM's service, against one on this computer."""

    def step() -> int:
        words = ("submit", "run", "--backend", "ibm:fake_manila", "--shots", "100", "--seed", "1")
        with RuntimeServer(["fake_manila"]) as server:
            os.environ.update(server.environment())
            return command_line([*words, "--limit", "2", *STORE])

    status, said = apart(step, {f"{JOBS}.pacing.WINDOW_SECONDS": 0.01})
    assert status == 0, said
    return last()


def close() -> None:
    """Processes died with the ledger open: all that they wrote goes into its one file."""
    database = sqlite3.connect("ledger/ledger.sqlite")
    assert database.execute("pragma wal_checkpoint(truncate)").fetchone() == (0, 0, 0)
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()
    assert not list(Path("ledger").glob("ledger.sqlite-*"))


# What this version answers --------------------------------------------------------------------


def expected(runs: dict[str, str]) -> dict[str, Any]:
    """What a later version has to find, and to answer where this one goes on from a copy."""
    told = {
        name: {k: v for k, v in shown(run, STORE).items() if k != "submissions"}
        for name, run in runs.items()
    }
    going_on = {}
    for name, run in told.items():
        if run["state"] != "done":
            shutil.rmtree("copy", ignore_errors=True)
            shutil.copytree("ledger", "copy")
            step = "resume" if run["state"] == "waiting" else "retry"
            qvlm("jobs", step, run["id"], "--store", "copy")
            done = shown(run["id"], ("--store", "copy"))
            going_on[name] = {
                "command": step,
                "answers": [one["answer"] for one in done["result"]["questions"]],
                "rows": done["result"]["costs"]["rows"],
                "jobs": [(one["state"], one["attempt"]) for one in done["submissions"]],
            }
    return {
        "version": __version__,
        "place": str(PLACE),
        "runs": told,
        "submissions": json.loads(printed(submissions)),
        "alone": json.loads(printed(alone)),
        "verified": qvlm("jobs", "verify", *STORE),
        "usage": json.loads(qvlm("jobs", "usage", *STORE, "--json")),
        "going on": going_on,
        "model": json.loads(printed(model)),
        "evaluate": {
            name: value
            for name, value in json.loads(qvlm("evaluate", "run", "--limit", 20, "--json")).items()
            if name in ("correct", "total", "by_kind")
        },
    }


def printed(step: Callable[[], Any]) -> str:
    status, said = apart(lambda: print(json.dumps(step())))
    assert status == 0
    return said


def shown(run: str, store: tuple[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(qvlm("jobs", "show", run, *store, "--json"))
    return found


def submissions() -> list[dict[str, Any]]:
    """Every submission with its history and its answers."""
    store, found = JobStore("ledger"), []
    for one in store.find():
        digest = hashlib.sha256()
        for row in store.rows_of(one.id):
            digest.update(row.key.encode())
            if row.evs is not None:
                digest.update(row.evs.tobytes() + row.stds.tobytes())
        found.append(
            {
                **asdict(one),
                "history": [asdict(event) for event in store.history(one.id)],
                "rows_sha256": digest.hexdigest(),
            }
        )
    assert {one["state"] for one in found} == set(State)
    return found


def alone() -> dict[str, Any]:
    answer = ask(JobStore("ledger"), [0.1, 1.0 + 1e-8, 2.0])
    return {"evs": answer.data.evs.tolist(), "stds": answer.data.stds.tolist()}


def model() -> dict[str, Any]:
    """Expectation values of every quantum layer, and the answers of exact ones."""
    loaded, found = Run.open(Path("run")).model(), {}
    for name, layer in loaded.quantum_layers.items():
        inputs = torch.linspace(-2, 2, 2 * layer.neural_network.num_inputs).reshape(2, -1)
        with torch.inference_mode():
            found[name] = layer(inputs).tolist()
    return found


def answers() -> list[str]:
    exact = ("--backend", "statevector", "--limit", "20", "--store", "exact", "--json")
    result = json.loads(qvlm("submit", "run", *exact))["result"]
    return [one["answer"] for one in result["questions"]]


def main() -> None:
    assert __version__ == "0.1.0"
    if PLACE.exists():
        shutil.rmtree(PLACE)
    PLACE.mkdir()
    os.chdir(PLACE)
    real, shift = time.time, time.time() - BEGINS
    Path("boot_id").write_text(BOOT, encoding="ascii")
    patches = {
        "time.time": lambda: real() - shift,
        "socket.gethostname": lambda: HOST,
        f"{JOBS}.clocks.BOOT_ID": PLACE / "boot_id",
        f"{JOBS}.local._boot": lambda: BOOT,
    }
    with ExitStack() as stack:
        for name, value in patches.items():
            stack.enter_context(mock.patch(name, value))
        assert socket.gethostname() == HOST
        qvlm("train", "--out", "run", *TRAINING)
        runs = fill()
        close()
        found = expected(runs) | {"answers": answers()}
        close()
    if KEPT.exists():
        shutil.rmtree(KEPT)
    KEPT.mkdir()
    for name in ("run", "ledger"):
        shutil.copytree(name, KEPT / name)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (KEPT / "expected.json").write_text(f"{text}\n", encoding="utf-8")
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
