"""Kill a training on a paid machine at random writes and requests, and see what it has bought.

    python -m tests.jobs.kill_training                       # 20 kills in 30 steps; minutes
    python -m tests.jobs.kill_training --steps 4 --kills 3

A training buys its steps from the loopback service of `tests.runtime_server`, which is a process of
its own and samples under a fake device's noise, through the unmodified Runtime client. It is killed
with SIGKILL at a random commit of the ledger, rename of a file or request, and another process goes
on with it. In the end there is the same training that nobody has killed, on a service of its own.
Printed is how many jobs the services have accepted and how many rows were bought, how many of them
twice, which must be none, and whether the weights of both are equal to the last bit.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import torch

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.jobs import Budget, JobStore, Recording
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.training import (
    Ledger,
    Subject,
    TrainingOptions,
    checkpointed,
    plan_training,
    train,
)
from tests.jobs.kill_everywhere import DEVICE, RUNTIME, SERVICE, Boundaries, in_process
from tests.runtime_server import RuntimeServer

GRADIENT = SampledGradient("spsa")
RECORDING = Recording(budget=Budget(seconds=3600), policy=RUNTIME, service=SERVICE)


@dataclass(frozen=True)
class Place:
    """Where a training buys and lies: a service, a ledger, a run folder.

    Attributes:
        folder: Holds the ledger and the run folder.
        address: Of the service.
        environment: Under which the client finds it.
        process: The service's.
    """

    folder: Path
    address: str
    environment: dict
    process: int

    @classmethod
    def begin(cls, folder):
        """Start a service in a process of its own."""
        folder.mkdir()
        ready, server = folder / "server.json", os.fork()
        if server == 0:
            with RuntimeServer([DEVICE]) as serving:
                about = ["http://{}:{}".format(*serving.address), serving.environment()]
                ready.with_suffix(".part").write_text(json.dumps(about))
                ready.with_suffix(".part").rename(ready)
                signal.pause()
        while not ready.exists():
            os.sched_yield()
        return cls(folder, *json.loads(ready.read_text()), server)

    @property
    def out(self):
        """The run folder."""
        return self.folder / "run"

    def store(self):
        """The ledger."""
        return JobStore(self.folder / "jobs")

    def bought(self):
        """Accepted jobs, rows that they were paid for, and different ones among these."""
        store, jobs, rows, different = self.store(), 0, 0, set()
        for one in store.find():
            with urllib.request.urlopen(f"{self.address}/_admin/jobs?tag={one.tag}") as answer:
                accepted = len(json.load(answer)["jobs"])
            jobs, rows = jobs + accepted, rows + accepted * one.rows
            different |= {row.key for row in store.rows_of(one.id)} if accepted else set()
        store.close()
        return jobs, rows, len(different)

    def stop(self):
        """End the service."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


class Writes(Boundaries):
    """Dies so many writes and requests after a number of jobs were sent in this life.

    It dies before it sends another job at the latest: how often a life asks for a job's state, and
    so how many requests there are, is a matter of time. All renames are boundaries, not only those
    of the ledger's files.

    Args:
        death: Jobs, and boundaries behind the last of them; None: of old age.
    """

    def __init__(self, death=None):
        super().__init__()
        self.death = death
        self.sent_jobs = self.since = 0

    def pass_(self, name):
        self.names.append(name)
        self.since += 1
        sends = name == "send POST /jobs"
        if self.death and self.sent_jobs == self.death[0]:
            if sends or self.since == self.death[1]:
                os.kill(os.getpid(), signal.SIGKILL)
        if sends:
            self.sent_jobs, self.since = self.sent_jobs + 1, 0

    def _audit(self, name, arguments):
        if name == "os.rename":
            self.pass_("rename of a file")
        else:
            super()._audit(name, arguments)


def machine(place):
    """The paid machine."""
    os.environ.update(place.environment)
    return open_backend(f"ibm:{DEVICE}", shots=16, optimization_level=1, seed=1)


def life(place, options, plan, death, resume):
    """Train to the end, or be killed; writes down at which boundary jobs begin, and the last."""
    boundaries, store = Writes(death), place.store()
    boundaries.watch_store(store)
    boundaries.watch_client()
    ledger = Ledger(store, RECORDING, plan)
    train(
        options, place.out, backend=machine(place), gradient=GRADIENT, ledger=ledger, resume=resume
    )
    names = [*boundaries.names, "send POST /jobs"]  # a last life may find all jobs accepted
    about = [names.index("send POST /jobs"), len(boundaries.names)]
    (place.folder / "boundaries.json").write_text(json.dumps(about))


def lives(place, options, plan, kills, boundaries=(1, 1)):
    """Kill a training so many times and let it come to its end; how often it was killed.

    Args:
        place: Where.
        options: Of the training.
        plan: Of the training.
        kills: How many.
        boundaries: Those before the first job of a life, and those of a step.
    """
    killed, chance = 0, random.Random(0)
    while True:
        jobs = chance.choice((0, 1, 1, 2))
        death = (jobs, chance.randint(1, boundaries[min(jobs, 1)])) if killed < kills else None
        resume = (place.folder / "run.partial" / "ledger.json").exists()
        status = in_process(life, place, options, plan, death, resume)
        if not os.WIFSIGNALED(status):
            assert status == 0, "a training failed without being killed"
            return killed
        killed += 1
        kept, jobs = checkpointed(place.out), place.bought()[0]
        print(f"{killed:>3} killed with {jobs} jobs accepted, checkpoint {kept or 0}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    options = TrainingOptions(
        recipe="tiny", steps=chosen.steps, batch_size=1, train_samples=8, checkpoint_every=4
    )
    with tempfile.TemporaryDirectory() as name:
        places = [Place.begin(Path(name) / which) for which in ("undisturbed", "killed")]
        try:
            return compared(*places, options, chosen.kills)
        finally:
            for place in places:
                place.stop()


def compared(undisturbed, killed, options, kills):
    """Print what both trainings have bought; the exit status."""
    plan = plan_training(Subject(options), machine(undisturbed), GRADIENT, None, RECORDING)
    assert lives(undisturbed, options, plan, 0) == 0
    first, last = json.loads((undisturbed.folder / "boundaries.json").read_text())
    count = lives(killed, options, plan, kills, (first, (last - first) // options.steps))
    found, expected = (weights(place) for place in (killed, undisturbed))
    equal = found.keys() == expected.keys() and all(
        torch.equal(found[n], expected[n]) for n in found
    )
    jobs, rows, different = killed.bought()
    print(f"kills                {count}")
    print(f"steps                {options.steps}")
    print(f"jobs accepted        {jobs} (without kills {undisturbed.bought()[0]})")
    print(f"rows bought          {rows:,} (planned {plan.total.rows:,})")
    print(f"rows bought twice    {rows - different}")
    print(f"weights equal        {'yes' if equal else 'no'}")
    return int(not equal or rows != different or jobs != options.steps)


def weights(place):
    """The trained weights."""
    from safetensors.torch import load_file

    return load_file(place.out / "model" / "model.safetensors")


if __name__ == "__main__":
    sys.exit(main())
