"""What the service's answers about jobs and accounts say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.backends.ibm.account import redacted
from qvlm_qiskit.backends.ibm.outcomes import JOB_ID
from qvlm_qiskit.backends.service import MAX_TIME_REASON, Allowance, ServerJob, ServerStatus
from qvlm_qiskit.errors import LedgerError

_STATUSES: dict[str, ServerStatus] = {
    "queued": "queued",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def checked_job_id(server_id: str) -> None:
    """Refuse what is no id of IBM's: it would become a part of an address.

    Raises:
        LedgerError: It has other characters.
    """
    if not JOB_ID.fullmatch(server_id):
        raise LedgerError(f"{server_id!r} is no id of a job on IBM Quantum")


def count_of(page: Mapping[str, Any]) -> int:
    """How many jobs a page of `GET /jobs` says that there are.

    Raises:
        TypeError: It says it in another form.
    """
    count = page["count"]
    if type(count) is not int:
        raise TypeError(f"a list of jobs counts {count!r} of them")
    return count


def tags_of(row: Mapping[str, Any]) -> list[str]:
    """A job's tags.

    Raises:
        TypeError: They come in another form.
    """
    tags = row["tags"]
    if not isinstance(tags, list):
        raise TypeError("the tags of a job are no list")
    return tags


def read_job(row: Mapping[str, Any], secrets: Sequence[str] = ()) -> ServerJob:
    """A job from its row in `GET /jobs` or from `GET /jobs/{id}`.

    A job that ran into its maximum execution time is "Cancelled" there, and failed here.

    Raises:
        KeyError: A row without a state, or in a state that the service did not have so far.
    """
    state = row["state"]
    words = str(state["status"]).lower()
    code = state.get("reason_code") or state.get("reasonCode")
    status = _STATUSES["cancelled" if words.startswith("cancelled") else words]
    if status == "cancelled" and (code == MAX_TIME_REASON or "ran too long" in words):
        status, code = "failed", MAX_TIME_REASON
    reason = redacted(str(state.get("reason") or ""), secrets)
    return ServerJob(
        str(row["id"]),
        status,
        reason or None,
        None if code is None else int(code),
        tags=tuple(tags_of(row)) if "tags" in row else None,
    )


def usage_seconds(metrics: Mapping[str, Any]) -> float | None:
    """What a job was charged, from `GET /jobs/{id}/metrics`; None until that is certain."""
    usage = metrics.get("usage", {})
    seconds = usage.get("qpu_charge_time_seconds")
    pending = usage.get("status", "pending") == "pending"
    return None if pending or seconds is None else float(seconds)


def read_allowance(usage: Mapping[str, Any]) -> Allowance:
    """What the instance may still use, from `GET /instances/usage`; a limit of 0 is one."""
    limit = usage.get("usage_limit_seconds")
    if limit is None:
        limit = usage.get("usage_allocation_seconds")
    used = usage.get("usage_consumed_seconds") or 0
    remaining = None if limit is None else max(float(limit) - float(used), 0.0)
    return Allowance(remaining, bool(usage.get("usage_limit_reached")))
