"""Faults: what can go wrong, at which requests, and how a test says so."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from qvlm_qiskit.errors import InputError, UnknownNameError

# name → (the requests that it meets unless another endpoint is named, its value's default, help)
FAULTS: dict[str, tuple[str, float | str | None, str]] = {
    "drop_before": ("submit", None, "close the connection before anything is done"),
    "drop_after": ("submit", None, "do what is asked, then close the connection without a word"),
    "rate_limited": ("submit", 1.0, "429 with Retry-After of VALUE seconds; nothing is done"),
    "error_before": ("submit", 500.0, "answer with HTTP status VALUE; nothing is done"),
    "error_after": ("submit", 500.0, "do what is asked, then answer with HTTP status VALUE"),
    "invalid": ("submit", None, "400 with IBM's error JSON; nothing is done"),
    "hang_before": ("submit", None, "never answer, for VALUE seconds at most; nothing is done"),
    "hang_after": ("submit", None, "do what is asked, then never answer, VALUE seconds at most"),
    "slow": ("*", 1.0, "answer VALUE seconds late"),
    "truncated": ("results", None, "answer with the first half of the body, as if it were whole"),
    "cut": ("results", None, "close the connection after half of the body"),
    "corrupted": ("results", None, "overwrite the middle of the longest string in the body"),
    "expired_token": ("*", None, "withdraw all tokens: 401 until a client gets a new one"),
    "session_closed": ("submit", None, "close the job's session first: 400 with code 1217"),
    "listing_lag": ("submit", 1.0, "the job is missing from GET /jobs for VALUE seconds"),
    "duplicate": ("submit", None, "handle the request twice: two jobs, one answer"),
    "another_id": ("submit", None, "do what is asked, and answer with the id of the first job"),
    "another_job": ("job", None, "answer with the body of the newest job"),
    "short_list": ("list_jobs", 1.0, "count VALUE jobs more than the list has"),
    "bomb": ("results", 1.0, "answer with VALUE MiB of blanks, packed by gzip"),
    "redirect": (
        "*",
        307.0,
        "answer with status VALUE and this server's other name",
    ),
    "drip": ("*", 60.0, "send a blank now and then for VALUE seconds instead of an answer"),
    "job_failed": ("submit", "Internal error", "the job ends as Failed with reason VALUE"),
    "job_max_time": ("submit", None, "the job ends as Cancelled with reason code 1305"),
}

_SPEC = re.compile(
    r"(?P<name>\w+)(:(?P<endpoint>[\w*]+))?(@(?P<nth>\d+)|~(?P<probability>[\d.]+))?"
    r"(=(?P<value>.+))?"
)


@dataclass
class Fault:
    """One fault and the requests that it meets.

    Attributes:
        name: One of `FAULTS`.
        endpoint: The endpoint's name, or "*" for all of them.
        nth: Meet the nth matching request only, counted from 1.
        probability: Meet each matching request with this probability.
        times: Meet at most so many requests; without `nth` and `probability` the first ones.
        tag: Meet only job submissions with this tag.
        value: Seconds, status or reason, as the name says.
        seen: Matching requests so far.
        met: Requests that it has met.
    """

    name: str
    endpoint: str
    nth: int | None = None
    probability: float | None = None
    times: int | None = None
    tag: str | None = None
    value: float | str | None = None
    seen: int = 0
    met: int = 0
    random: random.Random = field(default_factory=random.Random, repr=False)

    def number(self, fallback: float) -> float:
        """The value as a number."""
        return fallback if self.value is None else float(self.value)

    def meets(self, endpoint: str, tags: list[str]) -> bool:
        """Count a request, and say whether the fault meets it."""
        if self.endpoint not in ("*", endpoint) or (self.tag and self.tag not in tags):
            return False
        self.seen += 1
        if self.times is not None and self.met >= self.times:
            return False
        if self.nth is not None and self.seen != self.nth:
            return False
        if self.probability is not None and self.random.random() >= self.probability:
            return False
        self.met += 1
        return True


class Faults:
    """The faults in force.

    Args:
        seed: Of the probabilities.
        endpoints: Names of the server's endpoints.
    """

    def __init__(self, seed: int, endpoints: list[str]) -> None:
        self.seed = seed
        self.endpoints = endpoints
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._added = 0

    def add(
        self,
        name: str,
        endpoint: str | None = None,
        *,
        nth: int | None = None,
        probability: float | None = None,
        times: int | None = None,
        tag: str | None = None,
        value: float | str | None = None,
    ) -> Fault:
        """Put a fault in force; faults that meet the same request add up.

        Without `nth`, `probability` and `times` it meets every matching request.

        Raises:
            UnknownNameError: No such fault or endpoint.
            InputError: Both `nth` and `probability`, or a number out of range.
        """
        if name not in FAULTS:
            raise UnknownNameError("fault", name, FAULTS)
        usual, default, _ = FAULTS[name]
        endpoint = endpoint or usual
        if endpoint not in ("*", *self.endpoints):
            raise UnknownNameError("endpoint", endpoint, ["*", *self.endpoints])
        if nth is not None and (probability is not None or nth < 1):
            raise InputError("a fault has nth (counted from 1) or a probability, not both")
        if probability is not None and not 0 <= probability <= 1:
            raise InputError(f"a probability is between 0 and 1, not {probability}")
        with self._lock:
            self._added += 1
            fault = Fault(
                name=name,
                endpoint=endpoint,
                nth=nth,
                probability=probability,
                times=times,
                tag=tag,
                value=default if value is None else value,
                random=random.Random(f"{self.seed}/{self._added}"),
            )
            self._faults.append(fault)
        return fault

    def parse(self, text: str) -> Fault:
        """Put a fault in force that is written as NAME[:ENDPOINT][@NTH|~PROBABILITY][=VALUE].

        Raises:
            InputError: Text of another form.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise InputError(
                f"can't read the fault {text!r}: write NAME[:ENDPOINT][@NTH|~PROBABILITY][=VALUE]"
            )
        nth, probability = match["nth"], match["probability"]
        return self.add(
            match["name"],
            match["endpoint"],
            nth=None if nth is None else int(nth),
            probability=None if probability is None else float(probability),
            value=match["value"],
        )

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._faults.clear()

    def meeting(self, endpoint: str, tags: list[str]) -> dict[str, Fault]:
        """The faults that a request meets, by name; each counts it."""
        with self._lock:
            return {f.name: f for f in self._faults if f.meets(endpoint, tags)}

    def describe(self) -> list[dict[str, Any]]:
        """The faults as plain data."""
        with self._lock:
            return [
                {key: value for key, value in asdict_of(fault).items() if value is not None}
                for fault in self._faults
            ]


def asdict_of(fault: Fault) -> dict[str, Any]:
    """A fault's fields without its generator."""
    fields = asdict(fault)
    del fields["random"]
    return fields


def corrupt(body: bytes) -> bytes:
    """Overwrite four characters in the middle of the longest string of a JSON text."""
    longest = max(re.finditer(rb'"[^"\\]*"', body), key=lambda m: len(m.group()), default=None)
    if longest is None:
        return body[::-1]
    middle = (longest.start() + longest.end()) // 2
    return body[: middle - 2] + b"!!!!" + body[middle + 2 :]
