"""Machines by name: `open_backend` and the stack of estimators between a model and a machine.

The stack is Compiled( Mitigated( Recorded( device ) ) ), each a Qiskit `BaseEstimatorV2` that does
one thing. Compilation is outermost: mitigation folds, and records hold, the circuits that run.
"""

if __name__ != "qvlm_qiskit.backends":
    raise ImportError("this package is imported as qvlm_qiskit.backends, not as backends")

# Importing the openers enters them in the registry, in the order of the table of backends.
from qvlm_qiskit.backends.devices import statevector  # isort: skip
from qvlm_qiskit.backends.devices import aer  # isort: skip
from qvlm_qiskit.backends.devices import noisy  # isort: skip
from qvlm_qiskit.backends.devices import fake  # isort: skip
from qvlm_qiskit.backends.devices import ibm  # isort: skip
from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, list_backends, open_backend, register
from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit, Compiler
from qvlm_qiskit.backends.devices.noise_by_name import open_noise
from qvlm_qiskit.backends.mitigation.names import MITIGATIONS, parse_mitigation
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.preflight import Preflight

_OPENERS = (statevector, aer, noisy, fake, ibm)

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
