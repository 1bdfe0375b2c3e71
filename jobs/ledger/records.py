"""What the ledger's tables hold, as objects, and back as columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.jobs.ledger.ids import checked_id, checked_server_id
from qvlm_qiskit.jobs.ledger.states import State

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Submission:
    """One intended, running or finished server job; the columns of its table.

    What a search for it has to wait for is written before it is sent: `certain_at` by the store's
    clock, and the sender's boot with the seconds since then; `answered_at` is when the service
    answered that it had not taken it.
    """

    id: str
    tag: str
    run: str | None
    state: State
    machine: str
    decoder: str
    package: str
    about: Mapping[str, Any]
    attempt: int
    previous: str | None
    rows: int
    executions: int | None
    seconds_estimated: float | None
    seconds_used: float | None
    max_seconds: int
    session: str | None
    server_id: str | None
    raw: str | None
    reason: str | None
    reason_code: int | None
    posts: int
    posted_at: float | None
    answered_at: float | None
    certain_at: float | None
    boot: str | None
    boot_seconds: float | None
    account: str | None
    not_before: float
    fetches: int
    created_at: float
    updated_at: float
    lease_owner: str | None
    lease_until: float | None
    lease_seconds: float | None
    lease_boot: str | None
    lease_boot_until: float | None


@dataclass(frozen=True)
class StoredRow:
    """A row of the ledger: answered, or bought by a submission.

    Attributes:
        key: Its key.
        submission: Who buys or bought it.
        pub: Number of the pub in the submission's package.
        position: Its place among the pub's rows.
        evs: Expectation values by observable; None until it is answered.
        stds: Their standard errors.
    """

    key: str
    submission: str
    pub: int
    position: int
    evs: Floats | None
    stds: Floats | None


@dataclass(frozen=True)
class Event:
    """A line of a submission's history."""

    at: float
    state: str
    note: str
    owner: str | None


def columns_of(submission: Mapping[str, Any]) -> dict[str, Any]:
    """A submission's fields as its table holds them."""
    return {
        **submission,
        "state": State(submission["state"]).value,
        "about": json.dumps(submission["about"], sort_keys=True, allow_nan=False),
    }


def submission_from(line: Any) -> Submission:
    """The submission of a line of its table.

    Raises:
        LedgerError: One of its ids is no plain name: it could lead to another file or address.
    """
    values = dict(line._mapping)  # noqa: SLF001  (SQLAlchemy's public name of a row's mapping)
    for name in ("id", "tag", "run", "previous", "session"):
        if values[name] is not None:
            checked_id(name, values[name])
    if values["server_id"] is not None:
        checked_server_id(values["server_id"])
    return Submission(
        **{**values, "state": State(values["state"]), "about": json.loads(values["about"])}
    )


def stored_row_from(line: Any) -> StoredRow:
    """The row of a line of its table."""
    return StoredRow(
        line.key,
        line.submission,
        line.pub,
        line.position,
        array_from(line.evs),
        array_from(line.stds),
    )


def storable(value: Any) -> Any:
    """A server's words may hold what no database takes: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def bytes_of(values: Any) -> bytes:
    """Numbers as little-endian float64."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def floats_from(content: bytes) -> Floats:
    """The numbers of `bytes_of`."""
    return np.frombuffer(content, dtype="<f8").astype(np.float64)


def array_from(content: bytes | None) -> Floats | None:
    """The numbers of `bytes_of`; None where there are none."""
    return None if content is None else floats_from(content)
