"""IBM Runtime's results of the deprecated server-side `EstimatorV2`."""

from __future__ import annotations

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.ibm.decode import LEGACY, decode_legacy

DECODERS.enter(LEGACY, decode_legacy)
