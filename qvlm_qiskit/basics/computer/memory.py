"""How much memory this machine has, and how many qubits' states fit into it."""

from __future__ import annotations

import math
import os

STATES = 3
"""States that a gate on a large state needs at once: before, after, and what is between."""
AMPLITUDE_BYTES = 16


def memory_bytes() -> int:
    """This machine's physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def state_qubits() -> int:
    """The most qubits whose statevector, in double precision, can be worked on here."""
    return int(math.log2(memory_bytes() / (STATES * AMPLITUDE_BYTES)))
