"""A loopback service that speaks IBM's Runtime protocol, runs jobs with Aer, and fails on demand.

    with RuntimeServer(["fake_torino"], instant=True) as server:
        server.faults.add("error_after", nth=1, value=504)
        backend = server.service().backend("fake_torino")

It serves the unmodified `QiskitRuntimeService`: what is tested on the client's side is the client
itself. `python -m tests.runtime_server` starts it by hand. Nothing here reaches another machine.
"""

from .faults import FAULTS, Fault, Faults
from .jobs import Jobs
from .records import CANCELLED, COMPLETED, FAILED, QUEUED, RUNNING, JobRecord, Post
from .server import RuntimeServer

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "FAILED",
    "FAULTS",
    "QUEUED",
    "RUNNING",
    "Fault",
    "Faults",
    "JobRecord",
    "Jobs",
    "Post",
    "RuntimeServer",
]
