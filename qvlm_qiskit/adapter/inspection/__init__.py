"""What a weight matrix or its update is made of, and matrices as trains of small tensors."""

from qvlm_qiskit.adapter.inspection.compression import (
    CompressedLayer,
    MatrixProductLinear,
    compress,
    linear_layers,
)
from qvlm_qiskit.adapter.inspection.entanglement import (
    EntropyProfile,
    attention_profiles,
    cut_entropies,
    profile_of,
    update_profiles,
)

__all__ = [
    "CompressedLayer",
    "EntropyProfile",
    "MatrixProductLinear",
    "attention_profiles",
    "compress",
    "cut_entropies",
    "linear_layers",
    "profile_of",
    "update_profiles",
]
