"""The jobs that the estimators of this package return."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus


class FinishedJob(BasePrimitiveJob[Any, JobStatus]):
    """A job whose result was there when it was made."""

    def __init__(self, result: PrimitiveResult[Any]) -> None:
        super().__init__(str(uuid.uuid4()))
        self._result = result

    def result(self) -> PrimitiveResult[Any]:
        """The result."""
        return self._result

    def status(self) -> JobStatus:
        """Always DONE."""
        return JobStatus.DONE

    def done(self) -> bool:
        """Always True."""
        return True

    def running(self) -> bool:
        """Always False."""
        return False

    def cancelled(self) -> bool:
        """Always False."""
        return False

    def in_final_state(self) -> bool:
        """Always True."""
        return True

    def cancel(self) -> None:
        """Nothing is left to cancel."""


class MappedJob(BasePrimitiveJob[Any, Any]):
    """An inner estimator's job whose result is post-processed when it is asked for, once."""

    def __init__(
        self, inner: Any, function: Callable[[PrimitiveResult[Any]], PrimitiveResult[Any]]
    ) -> None:
        super().__init__(inner.job_id())
        self.inner = inner
        self._function = function
        self._result: PrimitiveResult[Any] | None = None

    def result(self) -> PrimitiveResult[Any]:
        """Wait for the inner job and return its processed result."""
        if self._result is None:
            self._result = self._function(self.inner.result())
        return self._result

    def status(self) -> Any:
        """The inner job's status."""
        return self.inner.status()

    def done(self) -> bool:
        """True when the inner job has run."""
        return bool(self.inner.done())

    def running(self) -> bool:
        """True while the inner job runs."""
        return bool(self.inner.running())

    def cancelled(self) -> bool:
        """True when the inner job was cancelled."""
        return bool(self.inner.cancelled())

    def in_final_state(self) -> bool:
        """True when the inner job won't change any more."""
        return bool(self.inner.in_final_state())

    def cancel(self) -> Any:
        """Cancel the inner job."""
        return self.inner.cancel()
