"""Another data set with its training pictures mixed up: ``shuffled:digits``, ``shuffled:folder:…``.

A control: questions and answers of what is trained on stay as they are, each with the picture of
another sample, drawn by the seed. What a model answers after that, it did not learn from pictures.
The other splits are those of the data set itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.reading.samples import ReadSamples
from qvlm_qiskit.data.registry import TRAIN_APART, DataSet, find_data
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.recipes import DATA_SETS


class Shuffled:
    """The format: any data set, with its own place and options."""

    def at(self, name: PlacedName) -> DataSet:
        """The data set of a name such as ``shuffled:table:captions.csv(group=caption)``.

        Raises:
            InputError: It says of no other data set.
            UnknownNameError: There is no such data set.
        """
        if name.place is None:
            raise InputError(f"{name.name} is a control of another data set: {name.name}:NAME")
        inner = find_data(str(replace(PlacedName.read(name.place), options=name.options)))

        def opened(split: str, size: int | None, seed: int, track: Track = silent) -> Samples:
            samples = inner.open(split, size, seed, track)
            return mixed(samples, seed) if split in ("train", TRAIN_APART) else samples

        return replace(inner, name=str(name), opener=opened, tracked=True)


def mixed(samples: Samples, seed: int) -> Samples:
    """The same questions and answers with pictures in another order.

    Args:
        samples: Of any data set; pictures that are read on access still are.
        seed: Of the order.
    """
    order = np.random.default_rng([seed, len(samples)]).permutation(len(samples)).tolist()
    if isinstance(samples, ReadSamples):
        return _rows(samples, order)
    return [_with_picture(one, samples[i]) for one, i in zip(samples, order, strict=True)]  # type: ignore[return-value]


def _with_picture(sample: Sample, other: Sample) -> Sample:
    return replace(sample, image=other.image)


def _rows(samples: ReadSamples, order: Sequence[int]) -> ReadSamples:
    chosen = [
        (replace(row, picture=samples.chosen[i][0].picture), number)
        for (row, number), i in zip(samples.chosen, order, strict=True)
    ]
    digest = hashlib.sha256(f"{samples.digest} {list(order)}".encode()).hexdigest()
    return replace(samples, chosen=chosen, digest=digest)


DATA_SETS.enter("shuffled", Shuffled())
