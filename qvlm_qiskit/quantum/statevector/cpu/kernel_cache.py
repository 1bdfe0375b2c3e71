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


def is_compiled(driver: Any = sweeps) -> bool:
    """Whether a compiled driver, such as :mod:`.sweeps` or :mod:`.single`, lies on disk.

    It may be of another precision.
    """
    return on_disk(driver.backward)


@cache
def announce(driver: Any = sweeps) -> None:
    """Log a warning, once per process, where a call is about to compile for many seconds."""
    if not is_compiled(driver):
        _log.warning("compiling the engine's kernels, once per installation: about a minute")
