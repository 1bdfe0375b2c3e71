"""Shots ↔ precision, and seeds that belong to a pub."""

from __future__ import annotations

import math

from qvlm_qiskit.errors import InputError


def shots_of_precision(precision: float) -> int:
    """The number of shots ⌈1/precision²⌉ that Qiskit's primitives take for a precision.

    Raises:
        InputError: A precision that is not positive: sampling never reaches it.
    """
    if not precision > 0:
        raise InputError(f"precision is {precision!r}; a sampled estimate needs one above 0")
    return math.ceil(1.0 / precision**2)


def precision_of_shots(shots: int) -> float:
    """The precision 1/√shots, rounded so that `shots_of_precision` gives exactly `shots` back."""
    precision = 1.0 / math.sqrt(shots)
    while shots_of_precision(precision) > shots:
        precision = math.nextafter(precision, 1.0)
    return precision


def content_seed(seed: int | None, digest: str) -> int:
    """A simulator seed for the work with this digest.

    With a seed, the same work gets the same random numbers wherever in a program it is run, and
    different work gets independent ones. Without, fresh entropy is drawn.

    Args:
        seed: The user's seed.
        digest: Hex digest of the work.
    """
    import numpy as np  # options are checked without it

    entropy = None if seed is None else [seed, *bytes.fromhex(digest[:32])]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0]) >> 1
