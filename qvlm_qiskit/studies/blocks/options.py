"""The options of the blocks' table: blocks, data, budget, the machine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.recipes import check_reading, read_block_name
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.data_options import DataOptions
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers

QUICK: dict[str, Any] = {
    "seeds": 3, "steps": 300, "train_samples": 4000, "limit": 300, "noisy_limit": 6, "rounds": 5,
}  # fmt: skip
"""What ``--quick`` makes of options that are not said."""
SIDE = 16
"""Of the pictures, in pixels, unless another size is asked for."""
OF_READING = {"picture": ("grid", "image_size"), "question": ("tokens",)}
"""Options that are about one of what may be read alone."""


@dataclass(frozen=True)
class BlocksOptions(DataOptions):
    """What every block is given.

    Attributes:
        blocks: Names, or names with options; empty = every block that can stand behind patches, or
            every block of sequences where the question is read.
        seeds: How many seeds each model is trained with, 0 … seeds - 1.
        steps: Optimiser steps.
        batch_size: Samples per step.
        train_samples: Size of the training set, at most what the data has.
        learning_rate: Its peak.
        limit: Held-out questions per evaluation.
        grid: Patches of a picture's side.
        width: Channels of a patch or word.
        reads: What blocks are given: the patches of the "picture", or the words of the "question".
        tokens: Words of a question, which is cut or padded to so many.
        residual: Whether something may pass a block.
        rounds: Measurements of a step's time; 0 measures none.
        device: Whose gates, times and noise are counted.
        shots: Per circuit there.
        mitigation: Technique that is set beside none.
        noisy_limit: Held-out questions under noise; 0 asks none.
        quick: Whether what is not said is as in `QUICK`.
    """

    blocks: Annotated[
        tuple[str, ...],
        Option(
            "Joined by commas, such as qkan(inputs=8),farhi-neven; by default every block that "
            "can stand behind the patches of a picture, or every one of sequences where the "
            "question is read."
        ),
    ] = ()
    seeds: Annotated[int, Option("Train so many seeds of every model.")] = 5
    steps: Annotated[int, Option("Optimiser steps of every model.")] = 2000
    batch_size: Annotated[int, Option("Samples per step.")] = 32
    train_samples: Annotated[
        int, Option("Size of the training set, at most what the data has.")
    ] = 8000
    learning_rate: Annotated[float, Option("Peak learning rate.")] = 1e-2
    limit: Annotated[int, Option("Held-out questions per evaluation.")] = 500
    grid: Annotated[int, Option("Patches of a picture's side: the tokens are its square.")] = 2
    width: Annotated[int, Option("Channels of a patch or word.")] = 16
    reads: Annotated[
        str,
        Option(
            "What blocks are given: the patches of the picture, or the words of the question, "
            "in their order and without the picture."
        ),
    ] = "picture"
    tokens: Annotated[
        int, Option("Words of a question that is read, which is cut or padded to so many.")
    ] = 8
    residual: Annotated[
        bool, Option("Let the patches pass the block too, by its learned gate.")
    ] = False
    rounds: Annotated[int, Option("Measurements of a step's time; 0 measures none.")] = 20
    device: Annotated[str, Option("Fake device whose gates, times and noise are counted.")] = (
        "fake_kingston"
    )
    shots: Annotated[int, Option("Shots per circuit there.")] = 1000
    mitigation: Annotated[str, Option("Mitigation under noise, beside none.")] = "readout"
    noisy_limit: Annotated[
        int, Option("Held-out questions under noise, of seed 0; 0 asks none.")
    ] = 50
    quick: Annotated[
        bool, Option("A small table in minutes: other defaults for sizes that are not said.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what makes no table.

        Raises:
            InputError: A repeated block, a number out of range, an option of what is not read, or
                no fake device.
            UnknownNameError: An unknown block, or thing to read.
        """
        check_types(self)
        texts = tuple(name for text in self.blocks for name in listed(text) if name)
        if self.blocks and not texts:
            raise InputError("blocks are given, and none is named")
        object.__setattr__(self, "blocks", texts)
        check_reading(self, OF_READING)
        if self.quick:
            self._hurry()
        for block in self.blocks:
            read_block_name(block)
        if len(set(self.blocks)) != len(self.blocks):
            raise InputError(f"blocks must be distinct, got {', '.join(self.blocks)}")
        least = {
            "seeds": 1, "limit": 2, "shots": 1, "rounds": 0, "noisy_limit": 0, "grid": 1,
            "width": 1, "tokens": 1, "steps": 1, "batch_size": 1, "train_samples": 1,
            "image_size": 1,
        }  # fmt: skip
        check_numbers(self, least, dict.fromkeys(("grid", "width", "tokens", "image_size"), 4096))
        if not 0 < self.learning_rate <= 1:
            raise InputError(
                f"learning_rate must be above 0 and at most 1, got {self.learning_rate}"
            )
        if self.noisy_limit > self.limit:
            raise InputError(
                f"noisy_limit={self.noisy_limit} are more questions than limit={self.limit}"
            )
        if not self.device.startswith("fake_"):
            given = arrived(self.device)
            raise InputError(f"device is a fake one, such as fake_kingston, got {given}")

    @property
    def side(self) -> int:
        """Of the pictures, in pixels."""
        return SIDE if self.image_size is None else self.image_size

    def _hurry(self) -> None:
        usual = {field.name: field.default for field in fields(self)}
        for name, small in QUICK.items():
            if getattr(self, name) == usual[name]:
                object.__setattr__(self, name, small)
