"""Opener of this package's own exact engine."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.table import OWN
from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import BackendError, InputError, QVLMError


@register("statevector")
def open_statevector(name: str, options: BackendOptions) -> Backend:
    """The torch engine; sampled values when shots or a precision are given."""
    options.only(name, OWN["statevector"].accepted, ("none",))
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
        num_qubits=state_qubits(),
        options=options,
        device=device,
        default_precision=precision,
        device_options={key: value for key, value in given.items() if key != "default_precision"},
    )
