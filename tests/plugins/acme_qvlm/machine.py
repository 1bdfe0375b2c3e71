"""A paid machine with a job service and a format of results of its own."""

import json
from dataclasses import replace

import numpy as np

from acme_qvlm import cloud
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


class AcmeJobs(JobService):
    machine, account, decoder = "acme", "ours", "acme-1"
    post_seconds, visible_after_seconds, limits = 2.0, 0.5, JobLimits(executions=1000)

    def submit(self, package, tag, *, max_seconds, session=None):
        return cloud.send(package.pubs, tag, max_seconds)

    def find(self, tag):
        return [self.status(number) for number, job in cloud.jobs().items() if job["tag"] == tag]

    def status(self, server_id):
        return ServerJob(server_id, known(server_id)["state"], usage_seconds=1.5)

    def fetch(self, server_id):
        return json.dumps(known(server_id)["values"]).encode()

    def cancel(self, server_id):
        cloud.stop(server_id)

    def allowance(self):
        return Allowance(cloud.seconds_left())


def known(server_id):
    try:
        return cloud.job(server_id)
    except KeyError:
        raise NoSuchJobError(f"acme has no job {server_id}") from None


def decode(raw, package):
    try:
        values = [np.array(value, dtype=float) for value in json.loads(raw)]
    except ValueError as ex:
        raise DamagedResultError(f"a result of acme can't be read: {ex}") from ex
    return [PubAnswer(evs, np.full(evs.shape, 0.1)) for evs in values]


def open_acme(name: str, options: BackendOptions) -> Backend:
    options.only(name, ("shots", "seed"), ("none",))
    like = open_backend("noisy:fake_manila", shots=options.shots, seed=options.seed)
    return replace(
        like, name=name, kind="hardware", mitigations=("none",), reopen=None,
        limits=AcmeJobs.limits, service=AcmeJobs,
    )  # fmt: skip
