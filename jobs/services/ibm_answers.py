"""The JSON of IBM's Runtime service → the ledger's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.backends.ibm.account import redacted
from qvlm_qiskit.jobs.services.interface import MAX_TIME_REASON, Allowance, ServerJob, ServerStatus

_STATUSES: dict[str, ServerStatus] = {
    "queued": "queued",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def server_job(row: Mapping[str, Any], secrets: Sequence[str] = ()) -> ServerJob:
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
    return ServerJob(str(row["id"]), status, reason or None, None if code is None else int(code))


def usage_seconds(metrics: Mapping[str, Any]) -> float | None:
    """What a job was charged, from `GET /jobs/{id}/metrics`; None until that is certain."""
    usage = metrics.get("usage", {})
    seconds = usage.get("qpu_charge_time_seconds")
    pending = usage.get("status", "pending") == "pending"
    return None if pending or seconds is None else float(seconds)


def allowance(usage: Mapping[str, Any]) -> Allowance:
    """What the instance may still use, from `GET /instances/usage`; a limit of 0 is one."""
    limit = usage.get("usage_limit_seconds")
    if limit is None:
        limit = usage.get("usage_allocation_seconds")
    used = usage.get("usage_consumed_seconds") or 0
    remaining = None if limit is None else max(float(limit) - float(used), 0.0)
    return Allowance(remaining, bool(usage.get("usage_limit_reached")))
