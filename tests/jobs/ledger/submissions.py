"""Submissions that are brought to a state step by step, and answers to them."""

import numpy as np

from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.jobs import State
from qvlm_qiskit.jobs.ledger.runs import close_run, new_run
from tests.jobs.ledger.hammer import columns, row

STEPS_TO = {
    State.INTENDED: [],
    State.POSTING: [State.POSTING],
    State.UNKNOWN: [State.POSTING, State.UNKNOWN],
    State.QUEUED: [State.POSTING, State.QUEUED],
    State.RUNNING: [State.POSTING, State.QUEUED, State.RUNNING],
    State.COMPLETED: [State.POSTING, State.QUEUED, State.COMPLETED],
    State.STORED: [State.POSTING, State.QUEUED, State.COMPLETED, State.STORED],
    State.ANSWERED: [State.POSTING, State.QUEUED, State.COMPLETED, State.STORED, State.ANSWERED],
    State.REFUSED: [State.POSTING, State.REFUSED],
    State.FAILED: [State.POSTING, State.QUEUED, State.FAILED],
    State.CANCELLED: [State.POSTING, State.QUEUED, State.CANCELLED],
    State.WITHDRAWN: [State.WITHDRAWN],
}


def add(store, identifier="s-1", keys=(1,), **changes):
    rows = [row(number, position) for position, number in enumerate(keys)]
    assert store.intend(columns(identifier, rows=len(rows), **changes), rows)
    return store.submission(identifier)


def brought_to(store, state, identifier="s-1", keys=(1,), owner="a"):
    add(store, identifier, keys)
    held = store.acquire(identifier, owner, 60.0)
    for step in STEPS_TO[state]:
        held = store.move(held, owner, step)
    return held


def answers(evs, stds=None):
    evs = np.asarray(evs, dtype=float)
    return [PubAnswer(evs, np.zeros_like(evs) if stds is None else stds, {"shots": 10})]


ENDS = {"done": {"result": {}}, "failed": {"error": "x"}, "cancelled": {"error": "x"}}


def ended(store, state):
    run = new_run(store, {})
    return close_run(store, run, state, **ENDS[state]) if state != "waiting" else run
