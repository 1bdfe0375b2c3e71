"""The options of a noise-robustness study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from qvlm_qiskit.basics.numbers import check_positive
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.noise_models.description.kinds import read_kinds
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers

EXACT = "statevector"
EACH = "one-at-a-time"
BUT_ONE = "all-but-one"
SEVERAL = (EACH, BUT_ONE)
"""Names for several choices of kinds of error, which depend on what a device has."""


@dataclass(frozen=True)
class NoiseGrid:
    """The grid of a study.

    Attributes:
        devices: ``noisy:…`` backends: where models are evaluated, and trained under noise.
        strengths: Factors on a device's noise at evaluation; 0 leaves the shots only.
        error_kinds: Which kinds of its errors act: "all", kinds joined by "+" as `open_backend`
            takes them, "one-at-a-time" for each kind that a device has, or "all-but-one".
        mitigations: Names of mitigation techniques.
        seeds: How many seeds every kind of model is trained with, 0 … seeds - 1 behind the seed of
            the run; 0 takes the runs as they are and trains nothing.
        twins: Whether the classical twins of quantum models are trained too.
        trained_at: Noise strengths at which models are trained beside the exactly trained ones.
        questions: Held-out questions per cell.
        rows: Circuits per block whose expectation values are compared with exact ones.
        shots: Numbers of shots per circuit.
        method: How the backend simulates its noise while models are evaluated.
        max_age_days: The oldest calibration that is accepted; None = any.
    """

    devices: Annotated[
        tuple[str, ...],
        Option("noisy:… backends, separated by semicolons.", "--backend"),
    ] = ("noisy:fake_torino",)
    strengths: Annotated[tuple[float, ...], Option("Factors on the noise at evaluation.")] = (
        0.0, 0.5, 1.0, 2.0, 4.0,
    )  # fmt: skip
    mitigations: Annotated[tuple[str, ...], Option("Techniques, separated by semicolons.")] = (
        "none",
    )
    error_kinds: Annotated[
        tuple[str, ...],
        Option(
            "Which errors act, separated by semicolons: all, one-at-a-time, all-but-one, or kinds "
            "(readout, one-qubit, two-qubit, relaxation, crosstalk) joined by +."
        ),
    ] = ("all",)
    seeds: Annotated[
        int, Option("Train so many seeds of every kind of model; 0 trains nothing.")
    ] = 0
    twins: Annotated[bool, Option("Train the classical twins too.")] = False
    trained_at: Annotated[
        tuple[float, ...],
        Option("Noise strengths to train models at, such as 0.5,1,2.", "--train-at"),
    ] = ()
    questions: Annotated[int, Option("Held-out questions per evaluation.", "--limit")] = 200
    rows: Annotated[int, Option("Circuits per block to compare with exact ones.")] = 50
    shots: Annotated[tuple[int, ...], Option("Shots per circuit, several by commas.")] = (1000,)
    method: Annotated[
        str,
        Option(
            "How a noisy:* backend simulates: density (matrices, up to 10 qubits), aer (shots on "
            "Aer), auto (density where it can, else aer)."
        ),
    ] = "auto"
    max_age_days: Annotated[float | None, Option("Refuse an older calibration.")] = None

    def __post_init__(self) -> None:
        """Refuse a grid that makes no sense.

        Raises:
            InputError: Another kind of backend, an empty or negative number, a repeated value.
            NoiseModelError: Kinds of error that can't be read.
            UnknownNameError: An unknown kind of error.
        """
        check_types(self)
        for name in ("devices", "strengths", "mitigations", "error_kinds", "shots", "trained_at"):
            values = getattr(self, name)
            if len(set(values)) != len(values) or (name != "trained_at" and not values):
                raise InputError(f"{name} must be distinct and not empty, got {list(values)}")
        for device in self.devices:
            if not device.startswith("noisy:"):
                raise InputError(f"a noise study needs noisy:… backends, got {device!r}")
        for kinds in set(self.error_kinds) - set(SEVERAL):
            read_kinds(kinds)
        for name in ("strengths", "trained_at"):
            wrong = [v for v in getattr(self, name) if not v >= 0 or v == float("inf")]
            if wrong:
                raise InputError(f"{name} are factors of at least 0, got {wrong[0]}")
        if 0 in self.trained_at:
            raise InputError("trained_at 0 is exact training, which is always there")
        if self.max_age_days is not None:
            check_positive("max_age_days", self.max_age_days)
        check_numbers(self, {"seeds": 0, "questions": 2, "rows": 1, "shots": 1})
        if not self.seeds and (self.twins or self.trained_at):
            raise InputError("twins and trained_at train models: give a number of seeds")


@dataclass(frozen=True)
class NoiseOptions(NoiseGrid):
    """A grid and the trained models that it begins with.

    Attributes:
        runs: Run folders.
    """

    runs: Annotated[
        tuple[Path, ...], Option("Run folders of qvlm train or demo.", argument=True)
    ] = field(kw_only=True)

    @classmethod
    def of(cls, grid: NoiseGrid, runs: Sequence[Path]) -> NoiseOptions:
        """These runs in this grid."""
        return cls(**vars(grid), runs=tuple(runs))
