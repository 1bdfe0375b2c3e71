"""Hybrid quantum-classical vision-language models on Qiskit, from statevectors to hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qvlm_qiskit.backends import Backend, list_backends, open_backend
    from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor
    from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator

__version__ = "0.1.0"

_HOMES = {
    "Backend": "qvlm_qiskit.backends",
    "HybridVLM": "qvlm_qiskit.model",
    "HybridVLMConfig": "qvlm_qiskit.model",
    "HybridVLMProcessor": "qvlm_qiskit.model",
    "QuantumLayer": "qvlm_qiskit.quantum",
    "TorchEstimator": "qvlm_qiskit.quantum",
    "list_backends": "qvlm_qiskit.backends",
    "open_backend": "qvlm_qiskit.backends",
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


def __getattr__(name: str) -> Any:
    """Import a public name on first use: torch and transformers take seconds to load."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
