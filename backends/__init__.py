"""Machines by name: `open_backend` and the stack of estimators between a model and a machine.

The stack is Compiled( Mitigated( Recorded( device ) ) ), each a Qiskit `BaseEstimatorV2` that does
one thing. Compilation is outermost: mitigation folds, and records hold, the circuits that run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if __name__ != "qvlm_qiskit.backends":
    raise ImportError("this package is imported as qvlm_qiskit.backends, not as backends")

if TYPE_CHECKING:
    from qvlm_qiskit.backends.backend import Backend
    from qvlm_qiskit.backends.catalog import list_backends, open_backend, register
    from qvlm_qiskit.backends.compilation.compiled import Compiled
    from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit, Compiler
    from qvlm_qiskit.backends.devices.noise_by_name import open_noise
    from qvlm_qiskit.backends.mitigation.names import MITIGATIONS, parse_mitigation
    from qvlm_qiskit.backends.options import BackendOptions
    from qvlm_qiskit.backends.preflight.preflight import Preflight
    from qvlm_qiskit.backends.table import BackendRow

_HOMES = {
    "Backend": "backend",
    "BackendOptions": "options",
    "BackendRow": "table",
    "Compiled": "compilation.compiled",
    "CompiledCircuit": "compilation.compiler",
    "Compiler": "compilation.compiler",
    "MITIGATIONS": "mitigation.names",
    "Preflight": "preflight.preflight",
    "list_backends": "catalog",
    "open_backend": "catalog",
    "open_noise": "devices.noise_by_name",
    "parse_mitigation": "mitigation.names",
    "register": "catalog",
}

__all__ = [
    "MITIGATIONS",
    "Backend",
    "BackendOptions",
    "BackendRow",
    "Compiled",
    "CompiledCircuit",
    "Compiler",
    "Preflight",
    "list_backends",
    "open_backend",
    "open_noise",
    "parse_mitigation",
    "register",
]

__getattr__ = lazy_names(__name__, _HOMES)
