"""Questions and captions about canvases composed of real handwritten digits.

The digits are scikit-learn's ``load_digits`` (1,797 handwritten digits of 43 writers, 8×8 pixels,
the test part of the UCI "Optical Recognition of Handwritten Digits" set). Two of them are put on a
16×16 canvas of 2×2 cells, one in the left and one in the right column, each in the upper or the
lower row. The text is templated; only the images are real. The split is by *source image*: no digit
image of a training canvas is on a test canvas. A tenth of the training images are for validation;
"train" has them too, "train-without-validation" has the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qvlm_qiskit.data.registry import TRAIN_APART, data_set
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError, UnknownNameError

CANVAS = 16
GLYPH = 8
TEST_FRACTION = 0.25
VALIDATION_FRACTION = 0.1
"""Of the images for training."""
SPLITS = ("train", "test", "validation", TRAIN_APART)
"""Each draws its canvases by its place here."""

DIGIT_QUESTIONS: dict[str, tuple[str, Callable[[int, int], str]]] = {
    "left": ("which digit is on the left?", lambda left, right: str(left)),
    "right": ("which digit is on the right?", lambda left, right: str(right)),
    "larger": ("which digit is larger?", lambda left, right: str(max(left, right))),
    "sum": ("what is the sum?", lambda left, right: str(left + right)),
    "caption": (
        "describe the image.",
        lambda left, right: f"a {left} on the left and a {right} on the right",
    ),
}
"""Kind → (question, answer as a function of the left and the right digit)."""


class DigitCanvases:
    """A fixed number of samples, deterministic from a seed."""

    def __init__(self, split: str, size: int, seed: int = 0) -> None:
        """Choose digits, rows and questions; canvases are painted on access.

        Args:
            split: One of `SPLITS`; which digit images are in which is the same for every seed.
            size: Number of samples.
            seed: Of the choice.

        Raises:
            InputError: A size below 1.
            UnknownNameError: Another split.
        """
        if split not in SPLITS:
            raise UnknownNameError("split of digits", split, SPLITS)
        if size < 1:
            raise InputError(f"a data set needs at least 1 sample, got {size}")
        self.split, self.seed = split, seed
        self._glyphs, self._labels = glyphs_and_labels()
        pool = source_indices(split)
        rng = np.random.default_rng([seed, SPLITS.index(split)])
        self._sources = rng.choice(pool, size=(size, 2))
        self._rows = rng.integers(0, CANVAS // GLYPH, size=(size, 2))
        # every kind equally often, in random order
        kinds = np.resize(np.arange(len(DIGIT_QUESTIONS)), size)
        self._kinds = rng.permutation(kinds)

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        left, right = (int(i) for i in self._sources[index])
        canvas = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
        cells = canvas.reshape(CANVAS // GLYPH, GLYPH, CANVAS // GLYPH, GLYPH)
        for column, (source, row) in enumerate(zip((left, right), self._rows[index], strict=True)):
            cells[row, :, column] = self._glyphs[source]
        kind = list(DIGIT_QUESTIONS)[self._kinds[index]]
        question, answer = DIGIT_QUESTIONS[kind]
        digits = int(self._labels[left]), int(self._labels[right])
        return Sample(Image.fromarray(canvas), kind, question, answer(*digits), (left, right))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))


def vocabulary_texts() -> list[str]:
    """Texts that contain every word a question or an answer can have."""
    return [
        *(question for question, _ in DIGIT_QUESTIONS.values()),
        *(answer(0, 0) for _, answer in DIGIT_QUESTIONS.values()),
        " ".join(str(number) for number in range(19)),
    ]


@data_set(
    "digits",
    vocabulary=vocabulary_texts,
    questions={kind: question for kind, (question, _) in DIGIT_QUESTIONS.items()},
    splits=SPLITS,
)
def digits(split: str, size: int | None, seed: int) -> DigitCanvases:
    """The canvases; by default as many as the split has digit images."""
    return DigitCanvases(split, len(source_indices(split)) if size is None else size, seed)


@cache
def source_indices(split: str) -> npt.NDArray[np.int64]:
    """Indices of the digit images that a split may use, stratified by class."""
    _, labels = glyphs_and_labels()
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_FRACTION, random_state=0, stratify=labels
    )
    apart, validation = train_test_split(
        train, test_size=VALIDATION_FRACTION, random_state=0, stratify=labels[train]
    )
    images = dict(zip(SPLITS, (train, test, validation, apart), strict=True))
    chosen: npt.NDArray[np.int64] = np.sort(images[split])
    chosen.flags.writeable = False  # one array for all who ask
    return chosen


@cache
def glyphs_and_labels() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Glyphs ``(1797, 8, 8)`` scaled from 0 … 16 to 0 … 255, and their labels."""
    digits = load_digits()
    glyphs = np.round(digits.images * (255 / 16)).astype(np.uint8)
    for array in (glyphs, digits.target):
        array.flags.writeable = False  # one array for all who ask
    return glyphs, digits.target
