"""Compile the Numba kernels, once per installation; ``make setup`` does.

Numba keeps compiled kernels on disk, beside the source or in the user's cache folder, and every
later process loads them. Whatever runs the engine first compiles them otherwise, and says so.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from pathlib import Path

import torch
from qiskit.circuit import Parameter, QuantumCircuit

from qvlm_qiskit.quantum.statevector.cpu import sweeps

_log = logging.getLogger(__name__)


def is_compiled() -> bool:
    """Whether compiled sweeps lie on disk (they may be of another precision)."""
    folder = Path(sweeps.backward.stats.cache_path)
    return any(folder.glob("sweeps.backward-*.nbi"))


@cache
def announce() -> None:
    """Log a warning, once per process, where a call is about to compile for many seconds."""
    if not is_compiled():
        _log.warning("compiling the engine's kernels, once per installation: 10 to 30 seconds")


def warm_up(dtype: torch.dtype = torch.float32) -> float:
    """Compile, or load, everything that a forward and backward pass runs; returns seconds."""
    # here, because the layer's modules import this one
    from qvlm_qiskit.quantum.circuits import make_qnn
    from qvlm_qiskit.quantum.layer import QuantumLayer

    start = time.perf_counter()
    x = Parameter("x")
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    layer = QuantumLayer(make_qnn(circuit, [x], []))
    layer(torch.zeros(1, 1, dtype=dtype, requires_grad=True)).sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start
