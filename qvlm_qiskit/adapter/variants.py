"""The projection that a configuration names."""

from __future__ import annotations

from qvlm_qiskit.adapter.attention import QuantumAttention
from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.projection import LinearProjection, QuantumProjection

Projection = QuantumProjection | QuantumAttention | LinearProjection


def build_projection(
    config: ProjectionConfig, width: int, hidden: int, deviation: float
) -> Projection:
    """What makes tokens of a picture's features, untrained.

    Args:
        config: Sizes and variant.
        width: Features of a picture, or of each of its regions where there is attention.
        hidden: Width of the language model's embeddings.
        deviation: Their standard deviation.

    Raises:
        InputError: Features that are not as many as amplitudes.
    """
    if config.kind == "linear":
        return LinearProjection(config, width, hidden, deviation)
    made = QuantumProjection if config.attention is None else QuantumAttention
    built = made(config, width, hidden, deviation)
    built.freeze()
    return built
