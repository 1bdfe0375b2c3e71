"""The company's own client: its data centre is the folder $ACME_CLOUD, with a file per job.

acme-0.json    tag, max_seconds, rows, state, values
held           while this file is there, no job comes to its end
seconds_left   of the account, where it says so
"""

import json
import os
from pathlib import Path

from qiskit.primitives import StatevectorEstimator


def folder():
    return Path(os.environ["ACME_CLOUD"])


def send(pubs, tag, max_seconds):
    """Accept a job, and return its number; it is computed without any noise."""
    number = f"acme-{len(jobs())}"
    asked = [(pub.circuit, pub.observables, pub.parameter_values, 0) for pub in pubs]
    answers = StatevectorEstimator().run(asked).result()
    job = {
        "tag": tag,
        "max_seconds": max_seconds,
        "rows": sum(pub.parameter_values.size for pub in pubs),
        "state": "completed",
        "values": [answer.data.evs.tolist() for answer in answers],
    }
    _write(number, job)
    return number


def jobs():
    """Number → job, in the order in which they were accepted."""
    paths = sorted(folder().glob("acme-*.json"), key=lambda path: int(path.stem[5:]))
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    if (folder() / "held").exists():
        for job in found.values():
            job["state"] = "running" if job["state"] == "completed" else job["state"]
    return found


def job(number):
    """A job by its number; KeyError where there is none."""
    return jobs()[number]


def stop(number):
    found = job(number)
    if found["state"] == "running":
        _write(number, {**found, "state": "cancelled"})


def seconds_left():
    path = folder() / "seconds_left"
    return float(path.read_text("utf-8")) if path.exists() else None


def _write(number, job):
    path = folder() / f"{number}.json"
    path.with_suffix(".partial").write_text(json.dumps(job), "utf-8")
    path.with_suffix(".partial").replace(path)
