"""Kill a submitting process at every point where it writes, and see what becomes of the job.

    python -m tests.jobs.kill_everywhere                     # watch it; about a minute
    python -m tests.jobs.kill_everywhere --unprotected       # the same without the protection

For each boundary (a database commit, a renamed file, a request before and after the server accepts
it) a process buys three values and is killed there with SIGKILL. A second process, which knows only
the store, goes on. Printed is what it found, what came out, and how many jobs the server has: it
must be one. The server is a file that outlives the processes.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from sqlalchemy import event

from qvlm_qiskit.jobs import JobStore, Policy, Recorded, State, Worker, reconcile, worker
from tests.jobs.conftest import StatesExecutions
from tests.jobs.unreliable import Server, Unreliable

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


class Boundaries:
    """Counts the points where something is about to be written, and dies at one of them."""

    def __init__(self, fatal=None):
        self.fatal = fatal
        self.names = []
        sys.addaudithook(self._audit)

    def pass_(self, name):
        self.names.append(name)
        if len(self.names) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, name, arguments):
        if name == "os.rename":
            self.pass_(f"rename to {Path(str(arguments[1])).suffix or 'file'}")

    def watch(self, store, server):
        event.listen(store.engine, "commit", lambda _: self.pass_("commit"))
        accept = server.accept

        def watched(tag, raw):
            self.pass_("request arrives")
            server_id = accept(tag, raw)
            self.pass_("request was accepted")
            return server_id

        server.accept = watched


def buy(folder, boundaries=None):
    """A forward pass: three values through the ledger."""
    store, server = JobStore(folder / "jobs"), Server(folder / "server.jsonl")
    if boundaries is not None:
        boundaries.watch(store, server)
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    on = Worker(store, Unreliable(server), policy=POLICY)
    estimator = Recorded(StatesExecutions(), store, {}, on, rep_delay_seconds=250e-6)
    pub = (circuit, "Z", np.reshape(VALUES, (-1, 1)), 0.1)
    return estimator.run([pub]).result()[0].data.evs


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


def first(folder, fatal):
    boundaries = Boundaries(fatal)
    buy(folder, boundaries)
    (folder / "boundaries.json").write_text(json.dumps(boundaries.names))


def second(folder):
    found = buy(folder)
    (folder / "values.json").write_text(json.dumps(found.tolist()))


def boundary_names(root):
    """The boundaries of one undisturbed purchase, in order."""
    folder = root / "undisturbed"
    folder.mkdir()
    assert in_process(first, folder, None) == 0
    return json.loads((folder / "boundaries.json").read_text())


def kill_at(root, number):
    """One row of the table: (state that was found, jobs on the server, values are right)."""
    folder = root / str(number)
    folder.mkdir()
    status = in_process(first, folder, number)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    store = JobStore(folder / "jobs")
    states = [submission.state.value for submission in store.find()]
    store.close()
    time.sleep(LEASE_SECONDS)  # the lease of the dead worker ends
    if in_process(second, folder) != 0:
        raise AssertionError("the second process failed")
    values = json.loads((folder / "values.json").read_text())
    jobs = Server(folder / "server.jsonl").jobs()
    return ", ".join(states) or "nothing", len(jobs), bool(np.allclose(values, np.cos(VALUES)))


def unprotected():
    """Take an interrupted request for one that never left."""

    def send_again(on, held):
        held = reconcile.interrupted(on, held)
        return on.store.move(held, on.owner, State.INTENDED, "unprotected")

    worker.STEPS[State.POSTING] = send_again


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unprotected", action="store_true", help="send again without a search")
    parser.add_argument("--request", action="store_true", help="only around the request")
    options = parser.parse_args()
    if options.unprotected:
        unprotected()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        names = boundary_names(root)
        print(f"{'killed before':<34}{'found':<14}{'jobs':>5}  values")
        chosen = range(1, len(names) + 1)
        if options.request:
            arrival = names.index("request arrives") + 1
            chosen = range(arrival - 1, arrival + 4)
        for number in chosen:
            found, jobs, right = kill_at(root, number)
            good = jobs == 1 and right
            wrong += not good
            mark = "" if good else "   WRONG"
            line = f"{number:>3} {names[number - 1]:<30}{found:<14}{jobs:>5}  "
            print(f"{line}{'right' if right else 'wrong'}{mark}", flush=True)
    print(f"{wrong} wrong" if wrong else "one job each")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
