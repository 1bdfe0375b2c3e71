"""Rows that differ by rounding only are one row.

The same image in a batch of another size gives angles that differ in their last float32 bits,
because matrix products are summed in another order. Measured on the demo's model, half of the rows
of a smaller batch would be bought again for that. So a row of sampled values that agrees with a
known one within `SAME_ROW` in every parameter is replaced by that one: its circuit is the one that
was run, its key the one that is looked up. Where a circuit's angles grow faster than its
parameters, the tolerance is smaller by as much. The expectation value of a circuit with n such
rotations differs by at most n · SAME_ROW, far below the error of any affordable number of shots;
exact rows (no precision, or 0) are never replaced.

Which row answers another is written down when it is first used, and stays so: a call that is made
again gets the same values, also when somebody has bought a nearer row, or the row itself, since.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from scipy.spatial import KDTree
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from qvlm_qiskit.basics.same_row import SAME_ROW as SAME_ROW
from qvlm_qiskit.basics.same_row import parameter_tolerance
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.reads import CHUNK
from qvlm_qiskit.jobs.ledger.rows import Floats, Row
from qvlm_qiskit.jobs.ledger.store import JobStore


@dataclass(frozen=True)
class _Question:
    """Rows of one kind that are asked for, and what the ledger knows of them.

    Attributes:
        kind: The group of all of them.
        rows: By key.
        bound: How far the parameters of an answering row may be from theirs.
        chosen: By key, the row that was written down as the answer.
        own: Keys that the ledger knows.
    """

    kind: str
    rows: Mapping[str, Row]
    bound: float
    chosen: Mapping[str, str]
    own: Container[str]


def snap(
    store: JobStore,
    rows: Sequence[Row],
    pubs: Sequence[EstimatorPub],
    tolerance: float,
    *,
    remember: bool = True,
) -> list[Row]:
    """Replace rows of sampled values that are not known by a known one within a tolerance.

    Args:
        store: The ledger.
        rows: The rows of a call.
        pubs: The pubs that they come from.
        tolerance: In radians, in the largest norm. 0: nothing is replaced.
        remember: Write down which row answers another; False only looks.
    """
    sampled = [row for row in rows if pubs[row.pub].precision and len(row.values)]
    if tolerance <= 0 or not sampled:
        return list(rows)
    own = store.find_rows({row.key for row in sampled})
    chosen = remembered(store, {row.key for row in sampled})
    kinds: dict[str, dict[str, Row]] = {}
    for row in sampled:
        if row.key in chosen or row.key not in own:
            kinds.setdefault(row.group, {})[row.key] = row
    answers: dict[str, tuple[str, Floats]] = {}
    for kind, members in kinds.items():
        circuit = pubs[next(iter(members.values())).pub].circuit
        if bound := parameter_tolerance(circuit, tolerance):
            asked = _Question(kind, members, bound, chosen, own)
            answers.update(_answers(store, asked, remember))
    found = []
    for row in rows:
        key, values = answers.get(row.key, (row.key, row.values))
        found.append(replace(row, key=key, values=values))
    return found


def _answers(store: JobStore, asked: _Question, remember: bool) -> dict[str, tuple[str, Floats]]:
    """Key and values of the row that answers each of the asked ones; without those of their own."""
    rows = asked.rows
    answers = {key: asked.chosen[key] for key in rows if key in asked.chosen}
    known = store.values_of(asked.kind, answers.values())
    if lost := {key: other for key, other in answers.items() if other not in known}:
        # A row without results has answered nobody; nothing holds to it.
        answers = {key: other for key, other in answers.items() if key not in lost}
        if remember:
            _forget(store, lost)
    new = {
        key: row.values for key, row in rows.items() if key not in answers and key not in asked.own
    }
    near = store.values_near(asked.kind, list(new.values()), asked.bound)
    known |= near
    nearest = _nearest(near, new, asked.bound)
    if nearest and remember:
        nearest = _remember(store, nearest)
        if newer := set(nearest.values()) - known.keys():
            known |= store.values_of(asked.kind, newer)  # another worker chose a row that is newer
    answers.update(nearest)
    return {
        key: (other, known[other])
        for key, other in answers.items()
        if other in known and np.abs(known[other] - rows[key].values).max() < asked.bound
    }


def _nearest(
    known: Mapping[str, Floats], asked: Mapping[str, Floats], bound: float
) -> dict[str, str]:
    """The nearest known row of each asked one that has any within the bound."""
    if not known or not asked:
        return {}
    keys = list(known)
    tree = KDTree(np.stack(list(known.values())))
    distances, places = tree.query(
        np.stack(list(asked.values())), p=np.inf, distance_upper_bound=bound
    )
    return {
        key: keys[place]
        for key, distance, place in zip(asked, distances, places, strict=True)
        if np.isfinite(distance)
    }


def remembered(store: JobStore, keys: Iterable[str]) -> dict[str, str]:
    """The keys of the rows that answer rows near them, as they were written down."""
    table, found = schema.nearby, {}
    with store.reading() as connection:
        for part in _parts(keys):
            lines = connection.execute(select(table).where(table.c.key.in_(part)))
            found.update({line.key: line.answered_by for line in lines})
    return found


def _remember(store: JobStore, answers: Mapping[str, str]) -> dict[str, str]:
    """Write down what answers rows, where nobody has yet, and return what holds for all."""
    table = schema.nearby
    with store.transaction() as connection:
        upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        # In one order everywhere, or two workers could wait for each other for ever.
        lines = [{"key": key, "answered_by": answers[key]} for key in sorted(answers)]
        connection.execute(upsert(table).on_conflict_do_nothing(), lines)
        found = {}
        for part in _parts(answers):
            for line in connection.execute(select(table).where(table.c.key.in_(part))):
                found[line.key] = line.answered_by
    return found


def _forget(store: JobStore, answers: Mapping[str, str]) -> None:
    table = schema.nearby
    with store.transaction() as connection:
        for key, other in sorted(answers.items()):
            chosen = (table.c.key == key) & (table.c.answered_by == other)
            connection.execute(delete(table).where(chosen))


def _parts(keys: Iterable[str]) -> Iterator[list[str]]:
    whole = list(keys)
    for first in range(0, len(whole), CHUNK):
        yield whole[first : first + CHUNK]
