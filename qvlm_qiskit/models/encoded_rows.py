"""Samples as rows for transformers' ``Trainer``, encoded by a model that a user has written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError

Encode = Callable[[Sequence[Sample]], dict[str, Tensor]]
"""Samples → tensors by name, each with one entry per sample."""

AT_ONCE = 100
"""Samples that are encoded together."""
SHARE = 0.25
"""Of the memory, for rows that are encoded in advance."""


class EncodedRows(Dataset[dict[str, Tensor]]):
    """Rows of equal shapes; encoded in advance unless they take much of the memory."""

    def __init__(self, encode: Encode, samples: Samples, track: Track = silent) -> None:
        """Encode the samples, or the first ones of many.

        Raises:
            InputError: No samples, or tensors of other shapes for some of them.
        """
        if not len(samples):
            raise InputError("training needs at least 1 sample")
        self._encode, self._samples = encode, samples
        size = sum(tensor.nbytes for tensor in encode([samples[0]]).values())
        fits = size * len(samples) <= SHARE * memory_bytes()
        self._columns = self._in_advance(track) if fits else None

    def _in_advance(self, track: Track) -> dict[str, Tensor]:
        found: list[dict[str, Tensor]] = []
        with track("encoding samples", len(self)) as report:
            for start in range(0, len(self), AT_ONCE):
                part = range(start, min(start + AT_ONCE, len(self)))
                rows = self._encode([self._samples[i] for i in part])
                _check_alike(found[0] if found else rows, rows, part)
                found.append(rows)
                report(part.stop)
        return {name: torch.cat([rows[name] for rows in found]) for name in found[0]}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if self._columns is not None:
            return {name: column[index] for name, column in self._columns.items()}
        rows = self._encode([self._samples[index]])
        return {name: column[0] for name, column in rows.items()}


def _check_alike(first: dict[str, Tensor], rows: dict[str, Tensor], part: range) -> None:
    """Refuse rows that can't be stacked with the first ones."""
    for name, column in rows.items():
        if len(column) != len(part):
            raise InputError(
                f"the model made {len(column)} rows of {name!r} of {len(part)} samples: one for "
                "each is needed"
            )
        if (shape := tuple(column.shape[1:])) != tuple(first[name].shape[1:]):
            raise InputError(
                f"the model made {name!r} of shape {shape} of samples {part.start} to "
                f"{part.stop - 1}, and {tuple(first[name].shape[1:])} of the first ones: make all "
                "of one shape"
            )
