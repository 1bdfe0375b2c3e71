"""Whether the compiled kernels lie on disk, and what is said where they don't.

Numba keeps compiled kernels on disk, beside the source or in the user's cache folder, and every
later process loads them, until one of the kernels' files changes. Whatever runs the engine first
compiles them otherwise, and says so.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from qvlm_qiskit.quantum.statevector.cpu import sweeps
from qvlm_qiskit.quantum.statevector.cpu.jit import on_disk

_log = logging.getLogger(__name__)


def is_compiled(kernel: Any = sweeps.backward) -> bool:
    """Whether a compiled sweep lies on disk (it may be of another precision)."""
    return on_disk(kernel)


@cache
def announce(kernel: Any = sweeps.backward) -> None:
    """Log a warning, once per process, where a sweep is about to compile for many seconds."""
    if not is_compiled(kernel):
        _log.warning("compiling the engine's kernels, once per installation: 10 to 30 seconds")
