"""The options of a study of optimisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers

DATA = ("breast-cancer", "digits", "wine")
OPTIMISERS = (
    "cobyla", "spsa", "spsa-batch", "qn-spsa", "aqgd", "aqgd-chain", "adam", "adam-batch", "l-bfgs",
)  # fmt: skip
QUBITS = 5
"""Of the source, which reduces its data to five numbers."""
MOST_SAMPLES = {"breast-cancer": 500, "digits": 300, "wine": 150}
"""Training samples that leave some for the test."""
QUICK = {"circuits": 50_000, "samples": 64, "seeds": 2, "tuning_seeds": 1}


@dataclass(frozen=True)
class OptimiserOptions:
    """Which optimisers spend how many circuits on what.

    Attributes:
        data: Names of `DATA`.
        optimisers: Names of `OPTIMISERS`.
        circuits: Budget of every training.
        samples: For training; the others are the test.
        batch_size: Samples per evaluation of those called ``-batch``.
        repetitions: Of EfficientSU2's entangling layer.
        seeds: Trainings whose results are reported.
        tuning_seeds: Further ones, by which the step size is chosen.
        against: The optimiser that the others are compared with.
        shots: Per circuit; None for exact values.
        quick: Small sizes instead of those asked for.
    """

    data: Annotated[tuple[str, ...], Option(f"Joined by commas: {', '.join(DATA)}.")] = (
        "breast-cancer",
        "digits",
    )
    optimisers: Annotated[
        tuple[str, ...], Option(f"Joined by commas: {', '.join(OPTIMISERS)}.")
    ] = OPTIMISERS
    circuits: Annotated[int, Option("Budget of every training: rows asked of a machine.")] = 300_000
    samples: Annotated[int, Option("Training samples; the data's others are the test.")] = 128
    batch_size: Annotated[int, Option("Samples per evaluation of those called -batch.")] = 16
    repetitions: Annotated[int, Option("Entangling layers of EfficientSU2.")] = 3
    seeds: Annotated[int, Option("Trainings that are reported, of every optimiser.")] = 10
    tuning_seeds: Annotated[int, Option("Further ones, which choose the step size.")] = 3
    against: Annotated[str, Option("The optimiser that the others are compared with.")] = "adam"
    shots: Annotated[int | None, Option("Per circuit; by default values are exact.")] = None
    quick: Annotated[
        bool, Option("A few minutes: 2 seeds, 64 samples, 50,000 circuits, whatever is asked for.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            UnknownNameError: An unknown optimiser or data set.
            InputError: An empty or repeated value, a number out of range, or too few circuits.
        """
        check_types(self)
        if self.quick:
            for name, value in QUICK.items():
                object.__setattr__(self, name, value)
        for name, known in (("data", DATA), ("optimisers", OPTIMISERS)):
            found = tuple(one for text in getattr(self, name) for one in listed(text))
            object.__setattr__(self, name, found)
            _check_names(name, found, known)
        if self.against not in self.optimisers:
            raise UnknownNameError("optimiser to compare with", self.against, self.optimisers)
        self._check_numbers()

    def _check_numbers(self) -> None:
        least = {"repetitions": 1, "seeds": 1, "tuning_seeds": 1, "shots": 1, "circuits": 1}
        check_numbers(self, least, {"repetitions": 100, "circuits": 10**9})
        most = min(MOST_SAMPLES[name] for name in self.data)
        if not 10 <= self.samples <= most:
            raise InputError(
                f"samples must be from 10 to {most} with {', '.join(self.data)}, got {self.samples}"
            )
        if not 1 <= self.batch_size <= self.samples:
            raise InputError(
                f"batch_size must be from 1 to {self.samples}, as many as there are samples; got "
                f"{self.batch_size}"
            )
        if self.circuits < self.least:
            raise InputError(
                f"circuits must be at least {self.least}, one gradient of all samples; got "
                f"{self.circuits}"
            )

    @property
    def angles(self) -> int:
        """Trained angles of EfficientSU2."""
        return 2 * QUBITS * (self.repetitions + 1)

    @property
    def least(self) -> int:
        """Circuits of one gradient of all samples by parameter shifts, with the values."""
        return self.samples * (2 * self.angles + 1)


def _check_names(name: str, found: tuple[str, ...], known: tuple[str, ...]) -> None:
    for one in found:
        if one not in known:
            kind = "optimiser" if name == "optimisers" else "data set of this study"
            raise UnknownNameError(kind, one, known)
    check_distinct(name, found)
