"""A paid machine of another company: all that its distribution would hold, and a pretended cloud.

Nothing in the package names it. The lines between the two marks are the whole of a third party's
file; `CLOUD` stands for what the company's own client does.
"""

import json
from dataclasses import replace

import numpy as np

from qvlm_qiskit.backends import Backend, BackendOptions, open_backend
from qvlm_qiskit.backends.service import (
    Allowance,
    DamagedResultError,
    JobLimits,
    JobService,
    NoSuchJobError,
    PubAnswer,
    ServerJob,
)


class Killed(BaseException):
    """The process dies here: nothing catches it."""


class Cloud:
    """Jobs by their id, in the order in which they were accepted."""

    def __init__(self):
        self.jobs, self.limits = {}, []
        self.left = Allowance(remaining_seconds=1e6)
        self.dies = self.forbidden = False

    def send(self, content, tag, max_seconds):
        assert not self.forbidden, "the machine was asked"
        number = f"acme-{len(self.jobs)}"
        self.jobs[number] = (tag, content)
        self.limits.append(max_seconds)
        if self.dies:
            self.dies = False
            raise Killed
        return number

    def tagged(self, tag):
        return [number for number, (found, _) in self.jobs.items() if found == tag]

    def result(self, number):
        assert not self.forbidden, "the machine was asked"
        if number not in self.jobs:
            raise NoSuchJobError(f"no job {number}")
        return self.jobs[number][1]


CLOUD = Cloud()


def run(package):
    """What the machine computes: cos of the sum of a row's parameters."""
    rows = [p.parameter_values.as_array(p.circuit.parameters).sum(axis=-1) for p in package.pubs]
    values = [
        np.broadcast_to(np.cos(row), pub.shape).tolist()
        for row, pub in zip(rows, package.pubs, strict=True)
    ]
    return json.dumps(values).encode()


# The third party's file ------------------------------------------------------------------------


class AcmeJobs(JobService):
    machine, account, decoder = "acme", "ours", "acme-1"
    post_seconds, visible_after_seconds, limits = 60.0, 10.0, JobLimits(executions=1000)

    def submit(self, package, tag, *, max_seconds, session=None):
        return CLOUD.send(run(package), tag, max_seconds)

    def find(self, tag):
        return [self.status(number) for number in CLOUD.tagged(tag)]

    def status(self, server_id):
        return ServerJob(server_id, "completed", usage_seconds=1.5)

    def fetch(self, server_id):
        return CLOUD.result(server_id)

    def cancel(self, server_id):
        pass

    def allowance(self):
        return CLOUD.left


def decode(raw, package):
    try:
        values = [np.array(value, dtype=float) for value in json.loads(raw)]
    except ValueError as ex:
        raise DamagedResultError(f"a result of acme can't be read: {ex}") from ex
    return [PubAnswer(evs, np.full(evs.shape, 0.1)) for evs in values]


def open_acme(name: str, options: BackendOptions) -> Backend:
    like = open_backend("noisy:fake_manila", shots=options.shots, seed=options.seed)
    return replace(
        like, name=name, kind="hardware", reopen=None, limits=AcmeJobs.limits, service=AcmeJobs
    )
