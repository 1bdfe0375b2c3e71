"""IBM Runtime's results of the client-side estimator."""

from __future__ import annotations

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.ibm.decode import EXECUTOR, decode_executor

DECODERS.enter(EXECUTOR, decode_executor)
