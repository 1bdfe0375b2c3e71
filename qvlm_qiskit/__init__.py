"""Hybrid quantum-classical vision-language models on Qiskit, from statevectors to hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.backends import Backend, list_backends, open_backend
    from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor
    from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator

__version__ = "0.1.0"

_HOMES = {
    "Backend": "backends",
    "HybridVLM": "model",
    "HybridVLMConfig": "model",
    "HybridVLMProcessor": "model",
    "QuantumLayer": "quantum",
    "TorchEstimator": "quantum",
    "list_backends": "backends",
    "open_backend": "backends",
}

__all__ = [
    "Backend",
    "HybridVLM",
    "HybridVLMConfig",
    "HybridVLMProcessor",
    "QuantumLayer",
    "TorchEstimator",
    "__version__",
    "list_backends",
    "open_backend",
]

__getattr__ = lazy_names(__name__, _HOMES)
