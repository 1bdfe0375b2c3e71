"""One circuit, all peers: check that they agree, then measure them in turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from peers import PEERS
from processes import Worker, WorkerFailedError
from timing import spread
from workloads import CIRCUITS, SMOKE

TOLERANCE = 1e-4
"""Largest deviation from our outputs and gradients with which a time counts."""

BUDGET_S = 20.0
"""A peer that has used this much time in one table sits out the remaining rounds."""

Entry = dict[str, Any]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long to measure.

    Attributes:
        rounds: Turns that every peer gets.
        seconds: Of each of a turn's two measurements; one call at least.
        smoke: Whether circuits have their smoke sizes.
        folder: For the arrays that peers save.
    """

    rounds: int
    seconds: float
    smoke: bool
    folder: Path


@dataclass
class Contender:
    """A running peer and what is known of it."""

    name: str
    worker: Worker
    entry: Entry
    forward: list[float]
    both: list[float]
    cores: list[float]


def compare(circuit: str, names: list[str], threads: int, plan: Plan, log: Log) -> dict[str, Any]:
    """Measure one circuit.

    Args:
        circuit: A key of :data:`workloads.CIRCUITS`.
        names: Peers, ours first.
        threads: Of every process.
        plan: How long.
        log: Where progress goes.

    Returns:
        The title, the number of threads and one entry per peer, in order; an entry has a
        ``"status"`` of ``"measured"``, ``"wrong"``, ``"not run"``, ``"failed"`` or
        ``"not installed"``.
    """
    workload = (SMOKE if plan.smoke else CIRCUITS)[circuit]
    if not plan.smoke:
        _fill_caches(circuit, threads, plan)
    with ExitStack() as stack:
        entries, running = _start(circuit, names, threads, plan, stack)
        _check(running, workload.batch, log)
        _measure([c for c in running if c.entry["status"] == "measured"], plan, log)
    for contender in running:
        _summarise(contender, workload.batch)
    ours = next((e["both_ms"]["median"] for e in entries if "both_ms" in e), None)
    for entry in entries:
        if ours is not None and "both_ms" in entry:
            entry["ratio"] = entry["both_ms"]["median"] / ours
    return {"circuit": circuit, "title": workload.title, "threads": threads, "entries": entries}


def _fill_caches(circuit: str, threads: int, plan: Plan) -> None:
    """Let a throwaway process fill the caches on disk of compiled kernels; failures show later."""
    with (
        suppress(WorkerFailedError),
        Worker(threads, peer="ours", circuit=circuit, folder=plan.folder) as worker,
    ):
        worker.ready()
        worker.ask("prepare")


def _start(
    circuit: str, names: list[str], threads: int, plan: Plan, stack: ExitStack
) -> tuple[list[Entry], list[Contender]]:
    """Start the installed peers all at once: imports are not measured."""
    entries: list[Entry] = []
    running: list[Contender] = []
    for name in names:
        peer = PEERS[name]
        entry: Entry = {"peer": name, "label": peer.label, "kind": peer.kind}
        entry |= {"version": peer.version(), "status": "not installed"}
        entries.append(entry)
        if entry["version"] is not None:
            worker = Worker(
                threads, peer=name, circuit=circuit, folder=plan.folder, smoke=plan.smoke
            )
            running.append(Contender(name, stack.enter_context(worker), entry, [], [], []))
    for contender in running:
        _guard(contender, contender.worker.ready)
    return entries, running


def _guard(contender: Contender, call: Callable[[], Any]) -> Any:
    """Call; a failure is written into the entry and None is returned."""
    try:
        result = call()
    except WorkerFailedError as error:
        contender.entry |= {"status": "failed", "reason": str(error)}
        return None
    if contender.entry["status"] == "not installed":
        contender.entry["status"] = "measured"
    return result


def _check(running: list[Contender], batch: int, log: Log) -> None:
    """First calls, one after the other, and the comparison with ours."""
    ours = running[0]
    references: dict[int, str] = {}
    for contender in running:
        entry = contender.entry
        if entry["status"] == "failed":
            continue
        log(f"  first call: {entry['label']}")
        prepared = _guard(contender, partial(contender.worker.ask, "prepare"))
        if prepared is None:
            continue
        if "not_run" in prepared:
            entry |= {"status": "not run", "reason": prepared["not_run"]}
            continue
        size = prepared["batch"]
        entry |= {"batch": size, "factor": batch / size}
        entry |= {"build_s": prepared["build_s"], "first_s": prepared["first_s"]}
        if contender is ours:
            references[size] = prepared["arrays"]
        elif size not in references:
            fresh = _guard(contender, partial(ours.worker.ask, "arrays", batch=size))
            if fresh is None:
                entry["reason"] = "ours failed, there is nothing to compare with"
                continue
            references[size] = fresh["arrays"]
        entry["deviations"] = deviations(prepared["arrays"], references[size])
        entry["deviation"] = max(entry["deviations"].values())
        if not entry["deviation"] <= TOLERANCE:
            entry["status"] = "wrong"


def deviations(path: str, reference: str) -> dict[str, float]:
    """Per array, the largest difference in units of the reference's largest entry."""
    with np.load(path) as ours, np.load(reference) as theirs:
        return {
            name: float(np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max())
            for name in theirs.files
        }


def _measure(running: list[Contender], plan: Plan, log: Log) -> None:
    for index in range(plan.rounds):
        log(f"  round {index + 1} of {plan.rounds}")
        for contender in running:
            if sum(contender.forward) + sum(contender.both) > BUDGET_S:
                continue
            for what, times in (("forward", contender.forward), ("both", contender.both)):
                ask = partial(contender.worker.ask, "measure", what=what, seconds=plan.seconds)
                result = _guard(contender, ask)
                if result is None:
                    break
                times += result["seconds"]
                contender.cores.append(result["cores"])


def _summarise(contender: Contender, batch: int) -> None:
    entry = contender.entry
    if contender.forward and contender.both and entry["status"] == "measured":
        entry["forward_ms"] = spread(contender.forward, entry["factor"])
        entry["both_ms"] = spread(contender.both, entry["factor"])
        entry["cores"] = max(contender.cores)
