"""The sizes of a demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qvlm_qiskit.basics.numbers import check_positive, check_whole
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.noise.sweep import SCALES
from qvlm_qiskit.training import TrainingOptions


@dataclass(frozen=True)
class DemoOptions:
    """Sizes of the demo.

    Attributes:
        training: What to train.
        device: The fake IBM device, as ``open_backend`` names it.
        mitigation: Compared with the raw noisy values.
        shots: Per circuit.
        test_samples: Held-out questions of the exact evaluation.
        noisy_samples: How many of them are also asked on the noisy simulator.
        runtime_samples: How many go through the Runtime client.
        scales: Noise factors of the sweep; by default those of
            :data:`~qvlm_qiskit.studies.noise.sweep.SCALES` that are physical on the device.
        rows: Circuits per block whose expectation values are compared.
    """

    training: TrainingOptions = field(default_factory=TrainingOptions)
    device: str = "fake_torino"
    mitigation: str = "readout+zne"
    shots: int = 1000
    test_samples: int = 500
    noisy_samples: int = 200
    runtime_samples: int = 40
    scales: Sequence[float] | None = None
    rows: int = 100

    def __post_init__(self) -> None:
        """Refuse what the stages can't be run with.

        Raises:
            InputError: A subset larger than the test set or too small, no noise factors, no rows,
                or no mitigation to compare with.
        """
        check_types(self)
        if self.mitigation == "none" or self.scales == () or self.rows < 1:
            raise InputError(
                "the demo compares a mitigation, noise factors and at least 1 circuit row, got "
                f"mitigation {self.mitigation!r}, factors {self.scales} and {self.rows} rows"
            )
        check_whole("shots", self.shots)
        for scale in self.scales or ():
            check_positive("every one of scales", scale, zero=True)
        for name in ("noisy_samples", "runtime_samples"):
            if not 2 <= getattr(self, name) <= self.test_samples:
                raise InputError(
                    f"{name} must be between 2 and test_samples = {self.test_samples}, got "
                    f"{getattr(self, name)}"
                )

    @property
    def scales_left_out(self) -> list[float]:
        """Noise factors of :data:`~qvlm_qiskit.studies.noise.sweep.SCALES` that are not used."""
        return [scale for scale in SCALES if scale not in (self.scales or ())]
