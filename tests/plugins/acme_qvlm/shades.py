"""A data set: black and white pictures."""

from PIL import Image

from qvlm_qiskit.data import Sample, data_set

QUESTION, ANSWERS = "which colour?", ("black", "white")


@data_set("shades", vocabulary=lambda: [QUESTION, *ANSWERS])
def shades(split, size, seed):
    return [
        Sample(
            Image.new("L", (8, 8), 255 * (i % 2)),
            "colour",
            QUESTION,
            ANSWERS[i % 2],
            (f"{split} {i}",),
        )
        for i in range(seed, seed + (size or 10))
    ]
