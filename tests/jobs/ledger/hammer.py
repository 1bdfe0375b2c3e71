"""What several threads or processes do to one store at once, for tests of claims and of leases."""

import random
import time

from qvlm_qiskit.jobs import JobStore, State
from qvlm_qiskit.jobs.ledger.leases import LeaseLostError


def key(number):
    return f"{number:064x}"


def row(number, position=0):
    """Values for every column of a row."""
    about = {"kind": "0" * 64, "parameters": bytes(8)}
    return {"key": key(number), "pub": 0, "position": position, **about}


def columns(identifier, **changes):
    """Values for every column that a submission needs."""
    now = time.time()
    return {
        "id": identifier,
        "tag": f"tag-{identifier}",
        "run": None,
        "state": State.INTENDED,
        "machine": "machine",
        "decoder": "local-1",
        "package": "0" * 64,
        "about": {"name": "machine"},
        "attempt": 1,
        "rows": 1,
        "max_seconds": 60,
        "posts": 0,
        "not_before": 0.0,
        "fetches": 0,
        "created_at": now,
        "updated_at": now,
        **changes,
    }


def claim(place, blobs, name, universe, rounds):
    """Claim random sets of rows until nothing is left to try; returns what was won."""
    store, random_ = JobStore(place, blobs), random.Random(name)
    won = {}
    for attempt in range(rounds):
        wanted = random_.sample(range(universe), random_.randint(1, 6))
        identifier = f"{name}-{attempt}"
        rows = [row(number, place) for place, number in enumerate(wanted)]
        if store.intend(columns(identifier, rows=len(rows)), rows):
            won[identifier] = sorted(key(number) for number in wanted)
    store.close()
    return won


def march(place, blobs, name, identifiers, moves):
    """Move submissions from intended to posting and back until so many are won; returns the wins.

    Some leases are so short that they are lost on the way, on a busy machine nearly all of them.
    """
    store, random_ = JobStore(place, blobs), random.Random(name)
    wins = []
    while len(wins) < moves:
        identifier, short = random_.choice(identifiers), random_.random() < 0.5
        held = store.acquire(identifier, name, 0.02 if short else 60.0)
        if held is None:
            continue
        if short and random_.random() < 0.4:
            time.sleep(0.03)  # long enough to lose the lease
        other = State.POSTING if held.state is State.INTENDED else State.INTENDED
        try:
            store.move(held, name, other, "", posts=held.posts + 1)
        except LeaseLostError:
            continue
        wins.append((identifier, held.posts + 1))
        store.release(identifier, name)
    store.close()
    return wins
