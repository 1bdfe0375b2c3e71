"""The noise sweep: the same weights under a device's noise, made weaker and stronger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.expectations import Rows
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.progress import Track, silent
from qvlm_qiskit.studies.measure import errors_on, evaluate_on

SCALES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


def noise_sweep(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Sequence[Sample],
    rows: Mapping[str, Rows],
    backend: str,
    *,
    scales: Sequence[float] = SCALES,
    shots: int = 1000,
    seed: int = 0,
    track: Track = silent,
) -> list[dict[str, Any]]:
    """Accuracy and expectation error as functions of the noise strength.

    Args:
        model: Trained, in evaluation mode.
        processor: The one it was trained with.
        samples: The same questions at every strength.
        rows: The same circuits at every strength, from
            :func:`~qvlm_qiskit.evaluation.capture_rows`.
        backend: A ``noisy:…`` backend.
        scales: Factors on the noise; 0 leaves the shots only.
        shots: Per circuit.
        seed: Of compilation and sampling.
        track: Opens progress bars.

    Returns:
        One entry per factor: ``scale``, accuracy with its interval, ``expectations``.

    Raises:
        InputError: The backend is not a ``noisy:…`` one, or there are no factors.
    """
    if not backend.startswith("noisy:") or not scales:
        raise InputError(f"a noise sweep needs a noisy:… backend and factors, got {backend!r}")
    points = []
    for scale in scales:
        machine = open_backend(backend, shots=shots, seed=seed, noise_scale=scale)
        _, record = evaluate_on(
            model, processor, samples, machine, track=track, what=f"noise × {scale:g}"
        )
        expectations = errors_on(model, rows, machine)
        points.append({"scale": scale, **record, "expectations": expectations})
    return points
