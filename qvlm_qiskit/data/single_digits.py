"""Which digit is shown: scikit-learn's handwritten digits, one to a picture, as they are.

1,797 pictures of 8 × 8 pixels, the same that `digits` puts on canvases, in the same splits.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from qvlm_qiskit.data.digits import SPLITS, glyphs_and_labels, source_indices
from qvlm_qiskit.data.registry import data_set
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import UnknownNameError

QUESTION = "which digit is shown?"


def vocabulary_texts() -> list[str]:
    """Texts that contain every word a question or an answer can have."""
    return [QUESTION, " ".join(str(digit) for digit in range(10))]


@data_set(
    "single-digits", vocabulary=vocabulary_texts, questions={"digit": QUESTION}, splits=SPLITS
)
def single_digits(split: str, size: int | None, seed: int) -> list[Sample]:
    """Pictures in an order that the seed draws; at most as many as the split has.

    Raises:
        UnknownNameError: Another split.
    """
    if split not in SPLITS:
        raise UnknownNameError("split of single-digits", split, SPLITS)
    glyphs, labels = glyphs_and_labels()
    order = np.random.default_rng([seed, SPLITS.index(split)]).permutation(source_indices(split))
    return [
        Sample(Image.fromarray(glyphs[i]), "digit", QUESTION, str(labels[i]), (int(i),))
        for i in order[:size]
    ]
