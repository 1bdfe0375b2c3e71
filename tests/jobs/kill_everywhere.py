"""Kill a submitting process at every point where it writes, and see what becomes of the job.

    python -m tests.jobs.kill_everywhere                     # watch it; about a minute
    python -m tests.jobs.kill_everywhere --unprotected       # the same without the protection
    python -m tests.jobs.kill_everywhere --runtime           # IBM's client, a loopback service
    python -m tests.jobs.kill_everywhere --runtime --tiles   # the same, with rows on tiles

For each boundary (a database commit, a renamed file, a request before and after the server accepts
it) a process buys three values and is killed there with SIGKILL. A second process, which knows only
the store, goes on. Printed is what it found, what came out, and how many jobs the server has: it
must be one. The server is a file that outlives the processes; with ``--runtime`` it is the service
of `tests.runtime_server` in a process of its own, and the unmodified Runtime client talks to it.

How often a lease is renewed and a state asked for is a matter of time, so that one purchase may
have some boundaries more than another. A boundary is therefore known by its name and its number
among those of that name. A process that never comes to it ends: the table says so, and at least one
process must have been killed before every name.
"""

import argparse
import http.client
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from sqlalchemy import event

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.jobs import JobStore, Policy, Recorded, Recording, State, Worker, recorded_backend
from qvlm_qiskit.jobs.worker import reconcile, worker
from tests.jobs.executions import StatesExecutions
from tests.jobs.unreliable import Server, Unreliable
from tests.runtime_server import RuntimeServer
from tests.runtime_server.server import API_PATH

VALUES = [0.1, 0.2, 0.3]
LEASE_SECONDS = 0.25
POLICY = Policy(
    start_seconds=0.2,
    lease_seconds=LEASE_SECONDS,
    poll_seconds=0.005,
    longest_poll_seconds=0.02,
    first_retry_seconds=0.001,
    longest_retry_seconds=0.01,
)

RUNTIME = replace(POLICY, start_seconds=2.0, lease_seconds=1.0, poll_seconds=0.05)
SERVICE = {"post_seconds": 3.0, "visible_after_seconds": 0.2, "posts_per_minute": None}
DEVICE = "fake_manila"
READS = ("send GET", "send POST /identity/token", "send POST /global-search")
METHODS = (b"GET ", b"POST", b"PUT ", b"PATC", b"DELE")


class Boundaries:
    """Counts the points where something is about to be written, and dies at one of them.

    Args:
        fatal: The name of that point, and how many of this name there are up to it.
    """

    def __init__(self, fatal=None):
        self.fatal = fatal
        self.names = []
        self.sent = ""
        sys.addaudithook(self._audit)

    def pass_(self, name):
        self.names.append(name)
        if (name, self.names.count(name)) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, name, arguments):
        if name == "os.rename" and str(arguments[1]).endswith(".blob"):
            self.pass_("rename of a file")

        if name == "http.client.send" and arguments[1][:4] in METHODS:
            line = bytes(arguments[1]).split(b"\r\n")[0].decode()
            method, path, _ = line.split()
            self.sent = f"{method} {path.removeprefix(API_PATH).split('?')[0]}"
            self.pass_(f"send {self.sent}")

    def watch_store(self, store):
        event.listen(store.engine, "commit", lambda _: self.pass_("commit"))

    def watch_server(self, server):
        accept = server.accept

        def watched(tag, raw):
            self.pass_("request arrives")
            server_id = accept(tag, raw)
            self.pass_("request was accepted")
            return server_id

        server.accept = watched

    def watch_client(self):
        """The point where a submission was sent and its answer is waited for."""
        wait = http.client.HTTPConnection.getresponse

        def watched(connection, *arguments, **options):
            if self.sent == "POST /jobs":
                name = "read the answer to POST /jobs"
                if self.fatal == (name, self.names.count(name) + 1):
                    time.sleep(1)  # the server accepts the job
                self.pass_(name)
            return wait(connection, *arguments, **options)

        http.client.HTTPConnection.getresponse = watched


class Simulated:
    """The server of `tests.jobs.unreliable`, without faults, in a file."""

    arrival = "request arrives"
    around = range(-1, 4)
    wait_seconds = LEASE_SECONDS

    def buy(self, folder, boundaries=None):
        store, server = JobStore(folder / "jobs"), Server(folder / "server.jsonl")
        if boundaries is not None:
            boundaries.watch_store(store)
            boundaries.watch_server(server)
        on = Worker(store, Unreliable(server), policy=POLICY)
        estimator = Recorded(StatesExecutions(), store, {}, on, rep_delay_seconds=250e-6)
        pub = (rotation(), "Z", np.reshape(VALUES, (-1, 1)), 0.1)
        return estimator.run([pub]).result()[0].data.evs

    def jobs(self, folder, tag):
        return len(Server(folder / "server.jsonl").jobs())


class Loopback:
    """IBM's client against `tests.runtime_server`; values are made up, not simulated."""

    arrival = "send POST /jobs"
    around = range(0, 3)
    wait_seconds = RUNTIME.lease_seconds

    def __init__(self, root, tiles="none"):
        self.tiles = tiles
        ready = root / "server.json"
        self.process = os.fork()
        if self.process == 0:
            with RuntimeServer([DEVICE], instant=True) as server:
                about = {
                    "address": "http://{}:{}".format(*server.address),
                    "environment": server.environment(),
                }
                ready.with_suffix(".part").write_text(json.dumps(about))
                ready.with_suffix(".part").rename(ready)
                signal.pause()
        while not ready.exists():
            time.sleep(0.05)
        about = json.loads(ready.read_text())
        self.address = about["address"]
        os.environ.update(about["environment"])

    def buy(self, folder, boundaries=None):
        store = JobStore(folder / "jobs")
        if boundaries is not None:
            boundaries.watch_store(store)
            boundaries.watch_client()
        about = Recording(policy=RUNTIME, service=SERVICE, run="r-1")
        backend = open_backend(
            f"ibm:{DEVICE}", shots=256, optimization_level=1, seed=1, tiles=self.tiles
        )
        estimator = recorded_backend(backend, store, about).estimator()
        pub = (rotation(), "Z", np.reshape(VALUES, (-1, 1)))
        return estimator.run([pub]).result()[0].data.evs

    def jobs(self, folder, tag):
        with urllib.request.urlopen(f"{self.address}/_admin/jobs?tag={tag}") as answer:
            return len(json.load(answer)["jobs"])

    def stop(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def rotation():
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    return circuit


def in_process(function, *arguments):
    """Run in a forked process; its wait status."""
    process = os.fork()
    if process == 0:
        try:
            function(*arguments)
        except BaseException as ex:
            print(f"{type(ex).__name__}: {ex}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitpid(process, 0)[1]


def first(world, folder, fatal):
    boundaries = Boundaries(fatal)
    found = world.buy(folder, boundaries)
    (folder / "boundaries.json").write_text(json.dumps(boundaries.names))
    (folder / "values.json").write_text(json.dumps(found.tolist()))
    (folder / "modules.json").write_text(json.dumps(list(sys.modules)))


def second(world, folder):
    found = world.buy(folder)
    (folder / "values.json").write_text(json.dumps(found.tolist()))


def undisturbed(world, root):
    """Boundaries and values of a purchase that nobody kills.

    What a purchase before it has imported this process imports, too, so that no other needs to.
    """
    for name in ("imports", "undisturbed"):
        folder = root / name
        folder.mkdir()
        if in_process(first, world, folder, None) != 0:
            raise AssertionError("the purchase failed without being killed")
        for module in json.loads((folder / "modules.json").read_text()):
            if module.startswith("qvlm_qiskit."):
                importlib.import_module(module)
    read = [json.loads((folder / f"{name}.json").read_text()) for name in ("boundaries", "values")]
    return tuple(read)


def kill_at(world, folder, fatal, expected):
    """One row of the table: (it was killed, states found, jobs on the server, values are right)."""
    folder.mkdir()
    status = in_process(first, world, folder, fatal)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, status
    store = JobStore(folder / "jobs")
    states = [submission.state.value for submission in store.find()]
    time.sleep(world.wait_seconds)  # the lease of the dead worker ends
    if in_process(second, world, folder) != 0:
        raise AssertionError("the second process failed")
    (submission,) = store.find()
    store.close()
    values = json.loads((folder / "values.json").read_text())
    jobs = world.jobs(folder, submission.tag)
    right = bool(np.allclose(values, expected, atol=0.25))
    return killed, ", ".join(states) or "nothing", jobs, right


def unprotected():
    """Take an interrupted request for one that never left."""

    def send_again(on, held):
        held = reconcile.interrupted(on, held)
        return on.store.move(held, on.owner, State.INTENDED, "unprotected")

    worker.STEPS[State.POSTING] = send_again


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", action="store_true", help="IBM's client, loopback service")
    parser.add_argument("--tiles", action="store_true", help="with --runtime: rows on two tiles")
    parser.add_argument("--unprotected", action="store_true", help="send again without a search")
    parser.add_argument("--request", action="store_true", help="only around the request")
    options = parser.parse_args()
    if options.unprotected:
        unprotected()
    with tempfile.TemporaryDirectory() as name:
        tiles = 2 if options.tiles else "none"
        world = Loopback(Path(name), tiles) if options.runtime else Simulated()
        try:
            wrong = table(world, Path(name), options.request)
        finally:
            if options.runtime:
                world.stop()
    print(f"{wrong} wrong" if wrong else "one job each")
    return 1 if wrong else 0


def table(world, root, only_request):
    """Print a row for every boundary; the number of rows that are wrong."""
    names, expected = undisturbed(world, root)
    # Whether one dies before or after a request that only reads is the same to everybody else.
    chosen = [number for number, name in enumerate(names, 1) if not name.startswith(READS)]
    if only_request:
        arrival = names.index(world.arrival) + 1
        chosen = [arrival + offset for offset in world.around]
    wrong, spared = 0, set(names[number - 1] for number in chosen)
    print(f"{'killed before':<42}{'found':<12}{'jobs':>4}  values")
    for number in chosen:
        name = names[number - 1]
        fatal = name, names[:number].count(name)
        killed, found, jobs, right = kill_at(world, root / str(number), fatal, expected)
        if killed:
            spared.discard(name)
        good = jobs == 1 and right
        wrong += not good
        what = name if killed else f"(ended) {name}"
        line = f"{number:>3} {what[:37]:<38}{found:<12}{jobs:>4}  "
        print(f"{line}{'right' if right else 'wrong'}{'' if good else '   WRONG'}", flush=True)
    assert not spared, f"no process was killed before {', '.join(spared)}"
    return wrong


if __name__ == "__main__":
    sys.exit(main())
