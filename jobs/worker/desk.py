"""What a step with a submission needs: the ledger, the machine, the money and the patience."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.jobs.costs.budget import Budget
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.worker.patience import Policy
from qvlm_qiskit.jobs.worker.sessions import Mode, Sessions


def _name() -> str:
    """A name that no other worker has, within the 64 characters of its column."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"


@dataclass
class Desk:
    """What the steps of `submit`, `reconcile` and `follow` work with.

    Attributes:
        store: The ledger.
        service: The machine.
        budget: What a submission may cost.
        policy: Patience.
        mode: Whether jobs are sent one by one, in batches or in a session.
        run: Id of the run that pays for what is sent; None: the one that recorded it.
        owner: Its name in leases and histories; by default host, process and a random part. A
            process that was forked takes another one.
        sleep: Waits; tests replace it.
    """

    store: JobStore
    service: JobService
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    mode: Mode = "job"
    run: str | None = field(default=None, kw_only=True)
    owner: str = field(default_factory=_name)
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._process = os.getpid()
        self.sessions = Sessions(self.store, self.service, self.mode, self.budget)

    def take_own_name(self) -> None:
        """Take another name after a fork: two processes of one name would share their leases."""
        if os.getpid() != self._process:
            self.owner, self._process = _name(), os.getpid()

    def payer(self, submission: Submission) -> str | None:
        """The run that pays for a submission if it is sent from here, whoever recorded it."""
        return self.run or submission.run

    def grace_seconds(self) -> float:
        """How long after its mark a request can still be on its way, or accepted and not listed."""
        # `submit.post` sends within `start_seconds` of the mark or not at all.
        service = self.service
        return self.policy.start_seconds + service.post_seconds + service.visible_after_seconds
