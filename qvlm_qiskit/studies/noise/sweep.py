"""The noise sweep: the same weights under a device's noise, made weaker and stronger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.basics.numbers import check_positive
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.evaluation.expectations import Rows
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.measure import errors_on, evaluate_on

SCALES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class NoiseSweep:
    """A noisy machine at several strengths.

    Attributes:
        backend: A ``noisy:…`` backend.
        scales: Factors on the noise; 0 leaves the shots only.
        shots: Per circuit.
        seed: Of compilation and sampling.
    """

    backend: str
    scales: tuple[float, ...] = SCALES
    shots: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no noise to sweep.

        Raises:
            InputError: The backend is not a ``noisy:…`` one, or there are no factors, negative ones
                or others that are no finite numbers.
        """
        check_types(self)
        if not self.backend.startswith("noisy:") or not self.scales:
            raise InputError(
                f"a noise sweep needs a noisy:… backend and factors, got {self.backend!r}"
            )
        for scale in self.scales:
            check_positive("every one of scales", scale, zero=True)


def noise_sweep(
    exam: Exam, rows: Mapping[str, Rows], sweep: NoiseSweep, *, track: Track = silent
) -> list[dict[str, Any]]:
    """Accuracy and expectation error as functions of the noise strength.

    Args:
        exam: A trained model, and the same questions at every strength.
        rows: The same circuits at every strength, from
            :func:`~qvlm_qiskit.evaluation.capture_rows`.
        sweep: The machine and the strengths.
        track: Opens progress bars.

    Returns:
        One entry per factor: ``scale``, accuracy with its interval, ``expectations``.
    """
    points = []
    for scale in sweep.scales:
        machine = open_backend(sweep.backend, shots=sweep.shots, seed=sweep.seed, noise_scale=scale)
        _, record = evaluate_on(exam, machine, track=track, what=f"noise × {scale:g}")
        expectations = errors_on(exam.model.module, rows, machine)
        points.append({"scale": scale, **record, "expectations": expectations})
    return points
