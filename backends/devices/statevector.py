"""Opener of this package's own exact engine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, register
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.errors import BackendError, InputError, QVLMError


def memory_qubits() -> int:
    """How many qubits' amplitudes, at 16 bytes each, this machine's memory holds."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(math.log2(memory_bytes / 16))


def _statevector_rows() -> Iterable[BackendRow]:
    what = "this package's torch engine, exact and batched"
    yield BackendRow("statevector", "exact", memory_qubits(), what)


@register("statevector", kind="exact", what="torch engine", rows=_statevector_rows)
def open_statevector(name: str, options: BackendOptions) -> Backend:
    """The torch engine; sampled values when shots or a precision are given."""
    options.only(name, ("shots", "precision", "seed", "device", "dtype"), ("none",))
    try:
        from qvlm_qiskit.quantum import TorchEstimator
    except ImportError as ex:
        raise BackendError(f"backend 'statevector' needs qvlm_qiskit.quantum: {ex}") from ex
    chosen = {"device": options.device, "dtype": options.dtype}
    given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    precision = options.sampling_precision
    if precision is not None:
        given["default_precision"] = precision
    try:
        device = TorchEstimator(seed=options.seed, **given)
    except QVLMError:
        raise
    except RuntimeError as ex:
        # torch's own word for a device that doesn't exist
        raise InputError(
            f"device is {options.device!r}; backend {name!r} takes 'cpu', 'cuda' or 'cuda:<index>'"
        ) from ex
    return Backend(
        name=name,
        kind="exact" if precision is None else "simulated shots",
        num_qubits=memory_qubits(),
        options=options,
        device=device,
        default_precision=precision,
        device_options={key: value for key, value in given.items() if key != "default_precision"},
    )
