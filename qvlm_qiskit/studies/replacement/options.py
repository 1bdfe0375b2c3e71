"""The options of a study of replacements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.data_options import DataOptions
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import SMALLEST, check_numbers

VARIANTS = (
    "linear", "relu", "positive", "quanvolution", "quanvolution-twin", "quanvolution-relu",
    "quantum", "quantum-twin", "frozen",
)  # fmt: skip
QUICK = {"seeds": 2, "epochs": 5, "train_samples": 400, "learning_rates": (0.01,)}
DEFAULT_SIDE, LEAST_SIDE, MOST_SIDE = 8, 6, 32

LEAST = {"learning_rates": SMALLEST, "repetitions": 1, "epochs": 1, "batch_size": 1, "seeds": 1,
         "test_samples": 2, "train_samples": 20}  # fmt: skip
MOST = {"learning_rates": 1, "repetitions": 100}


@dataclass(frozen=True)
class ReplacementOptions(DataOptions):
    """Which networks are trained on what.

    Attributes:
        data: Pictures with one answer each.
        variants: Names of `VARIANTS`.
        channels: Of the first convolution; the second has half as many.
        repetitions: Of the re-uploading layer.
        epochs: Of every training.
        batch_size: Pictures of a step.
        train_samples: At most so many, a tenth of them for validation.
        test_samples: At most so many.
        learning_rates: Of Adam; each variant has that of its best validation accuracy.
        seeds: Trainings of every variant.
        quick: Small sizes instead of those asked for.
    """

    data: Annotated[
        str,
        Option("Pictures with one answer each, such as folder:mnist; by default 8 × 8 digits."),
    ] = "single-digits"
    variants: Annotated[tuple[str, ...], Option(f"Joined by commas: {', '.join(VARIANTS)}.")] = (
        VARIANTS
    )
    channels: Annotated[int, Option("Of the first convolution; the second has half.")] = 8
    repetitions: Annotated[int, Option("Of the re-uploading layer.")] = 2
    epochs: Annotated[int, Option("Of every training.")] = 30
    batch_size: Annotated[int, Option("Pictures per step.")] = 50
    train_samples: Annotated[
        int, Option("Pictures for training, a tenth of them for validation; at most the data's.")
    ] = 4000
    test_samples: Annotated[int, Option("Test pictures, at most the data's.")] = 1000
    learning_rates: Annotated[
        tuple[float, ...],
        Option("Of Adam, joined by commas; validation chooses one for each variant."),
    ] = (0.003, 0.01, 0.03)
    seeds: Annotated[int, Option("Trainings of every variant with every rate.")] = 10
    quick: Annotated[
        bool, Option("A minute: 2 seeds, 5 epochs, 400 pictures, one rate, whatever is asked for.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            UnknownNameError: An unknown variant.
            InputError: An empty or repeated value, or a number out of range.
        """
        check_types(self)
        if self.quick:
            for name, value in QUICK.items():
                object.__setattr__(self, name, value)
        found = tuple(one for text in self.variants for one in listed(text))
        object.__setattr__(self, "variants", found)
        for one in found:
            if one not in VARIANTS:
                raise UnknownNameError("variant", one, VARIANTS)
        check_distinct("variants", self.variants)
        check_numbers(self, LEAST, MOST)
        if not 2 <= self.channels <= 64 or self.channels % 2:
            raise InputError(f"channels must be an even number from 2 to 64, got {self.channels}")
        if not LEAST_SIDE <= self.side <= MOST_SIDE:
            raise InputError(
                f"image_size must be from {LEAST_SIDE} to {MOST_SIDE}, got {self.side}"
            )

    @property
    def side(self) -> int:
        """Of the pictures, in pixels."""
        return DEFAULT_SIDE if self.image_size is None else self.image_size
