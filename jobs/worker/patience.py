"""How patient a worker is."""

from __future__ import annotations

from dataclasses import dataclass

from qvlm_qiskit.errors import InputError

LONGEST_WAIT_SECONDS = 3600.0
"""A server's Retry-After is followed up to this."""


@dataclass(frozen=True)
class Policy:
    """How patient a worker is.

    Attributes:
        lease_seconds: A worker that gives no sign of life for so long is replaced.
        start_seconds: A request that has not left so long after its submission was marked as being
            sent is not sent any more; every worker of a store must have the same.
        poll_seconds: First pause between two questions for a job's state.
        longest_poll_seconds: The pause grows up to this.
        first_retry_seconds: Pause after a request that surely was not accepted; doubles.
        longest_retry_seconds: Its bound.
        fetches: How often a result that can't be read is fetched again.
    """

    lease_seconds: float = 60.0
    start_seconds: float = 5.0
    poll_seconds: float = 1.0
    longest_poll_seconds: float = 20.0
    first_retry_seconds: float = 2.0
    longest_retry_seconds: float = 300.0
    fetches: int = 5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"{name} is {value!r}; it must be above 0")

    def retry_seconds(self, tries: int) -> float:
        """The pause after so many requests without success."""
        return min(self.first_retry_seconds * 2.0 ** max(tries - 1, 0), self.longest_retry_seconds)

    @property
    def longest_wait_seconds(self) -> float:
        """Nothing is planned further ahead, whatever a server asks for."""
        return max(self.longest_retry_seconds, LONGEST_WAIT_SECONDS)

    def wait_seconds(self, due: float, now: float) -> float:
        """How long to wait for a planned step; 0 when it is due.

        A time further ahead than anything is planned was written before the clock was set back.
        """
        ahead = due - now
        return ahead if 0 < ahead <= self.longest_wait_seconds else 0.0
