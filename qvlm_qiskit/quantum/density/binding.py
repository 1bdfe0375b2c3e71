"""Parameters → gate angles, for batches of inputs with shared weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.program.program import AngleTable
from qvlm_qiskit.quantum.transforms import constants


class AngleBinder:
    """Evaluates rows of an angle table; the first ``num_batched`` parameters are given per sample.

    Almost every angle is affine in the parameters, so binding is one matrix product; the other
    expressions are evaluated one by one.
    """

    def __init__(self, table: AngleTable, num_batched: int) -> None:
        """Keep the table.

        Args:
            table: The angles as functions of the parameters.
            num_batched: How many leading parameters are given per sample.
        """
        self._table = table
        self._split = num_batched
        matrix, offset = table.affine()
        # the last row, which index -1 finds, is the angle 0
        self._matrix = np.concatenate([matrix, np.zeros((1, table.num_parameters))])
        self._offset = np.concatenate([offset, [0.0]])
        self._tensors: dict[tuple[Any, ...], Tensor] = {}

    def is_batched(self, row: int) -> bool:
        """Whether an angle differs from sample to sample."""
        return row >= 0 and any(p < self._split for p in self._table.depends_on(row))

    def angles(self, rows: Sequence[int], batched: Tensor | None, shared: Tensor) -> Tensor:
        """Angles in radians, ``(B, n_rows)``; ``(1, n_rows)`` without ``batched``.

        Args:
            rows: Rows of the table; -1 stands for the angle 0.
            batched: ``(B, num_batched)``; None for rows that no batched parameter reaches.
            shared: ``(n_parameters - num_batched,)``.
        """
        index = np.asarray(rows, dtype=np.int64)
        key = tuple(rows)
        weights = self._constant(("shared", key), self._matrix[index, self._split :], shared)
        offset = self._constant(("offset", key), self._offset[index], shared)
        angles = (weights @ shared + offset)[None]
        if batched is not None:
            inputs = self._constant(("batched", key), self._matrix[index, : self._split], shared)
            angles = batched @ inputs.T + angles
        if any(row in self._table.expressions for row in rows):
            angles = self._with_expressions(rows, angles, batched, shared)
        return angles

    def _with_expressions(
        self, rows: Sequence[int], angles: Tensor, batched: Tensor | None, shared: Tensor
    ) -> Tensor:
        columns = list(angles.unbind(-1))
        for column, row in enumerate(rows):
            if row not in self._table.expressions:
                continue
            parameters, function = self._table.expressions[row]
            values = [
                batched[:, p]
                if batched is not None and p < self._split
                else shared[p - self._split]
                for p in parameters
            ]
            value = function(*values)
            if not isinstance(value, Tensor):  # its parameters cancelled
                value = angles.new_tensor(float(value))
            columns[column] = value.to(angles.dtype).expand_as(columns[column])
        return torch.stack(columns, dim=-1)

    def _constant(self, name: Any, value: npt.NDArray[np.float64], like: Tensor) -> Tensor:
        """A constant array on the device and in the precision of ``like``, cached."""
        key = (name, like.device, like.dtype)
        if key not in self._tensors:
            with constants():
                self._tensors[key] = torch.as_tensor(value).to(like.device, like.dtype)
        return self._tensors[key]
