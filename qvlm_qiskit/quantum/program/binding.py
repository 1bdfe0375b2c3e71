"""Parameters → gate angles, for batches of inputs with shared weights, in double precision.

A float32 near 10⁷ is a whole radian wide: whatever precision states have, angles are computed in
doubles up to their sines and cosines.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.basics.parameter_expressions import Formula
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.program.angles import AngleTable, FreeAngle, ParameterIndex
from qvlm_qiskit.quantum.torch_support import transforms
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

DENSE_ENTRIES = 1 << 16
"""Up to this size an affine map is one matrix product, whatever its zeros."""
DENSE_SHARE = 8
"""Beyond that it is one while at least one entry of so many is not zero."""


Numbers = npt.NDArray[Any]
_TOO_LARGE = "a gate angle is larger than the largest number"


class AngleMap:
    """Some rows of an angle table as one map of all parameters.

    The first ``num_batched`` parameters are given per sample, the others once. Affine angles are
    one sparse matrix product; other expressions are evaluated together where they differ in their
    parameters only.

    Attributes:
        size: How many rows.
        num_inputs: How many parameters are given per sample.
        num_weights: How many are given once.
        reads_inputs: Whether any of them depends on a parameter that is given per sample.
        reads_weights: Whether any depends on one that is given once.
    """

    def __init__(
        self, table: AngleTable, rows: Sequence[int], num_batched: int, skipped: int = 0
    ) -> None:
        """Sort the rows.

        Args:
            table: The angles as functions of the parameters.
            rows: Rows of the table; -1 stands for the angle 0.
            num_batched: How many leading parameters are given per sample.
            skipped: How many of those are left out of what is given, because no row needs them.
        """
        self.size = len(rows)
        self.num_inputs = num_batched - skipped
        self.num_weights = table.num_parameters - num_batched
        entries = [
            (place, column, slope)
            for place, row in enumerate(rows)
            if row >= 0
            for column, slope in table.coefficients[row].items()
        ]
        self._inputs = _Linear(
            [(r, c - skipped, s) for r, c, s in entries if c < num_batched],
            (self.size, num_batched - skipped),
        )
        self._weights = _Linear(
            [(r, c - num_batched, s) for r, c, s in entries if c >= num_batched],
            (self.size, table.num_parameters - num_batched),
        )
        self._offset = np.array([table.constants[row] if row >= 0 else 0.0 for row in rows])
        free = {i: table.expressions[row] for i, row in enumerate(rows) if row in table.expressions}
        self._groups = _groups(free, num_batched, skipped)
        varies = [v for group in self._groups for v, _ in group.arguments]
        self.reads_inputs = not self._inputs.is_zero or True in varies
        self.reads_weights = not self._weights.is_zero or False in varies
        order = np.arange(self.size)
        places = [place for group in self._groups for place in group.places]
        order[places] = self.size + np.arange(len(places))
        self._order = order
        # without anything to compute, nothing can be rounded, and a copy is saved
        plain = self.size > 0 and not self._groups and not self._offset.any()
        self._are_inputs = plain and self._inputs.is_identity and self._weights.is_zero
        self._are_weights = plain and self._weights.is_identity and self._inputs.is_zero
        self._constants = DeviceConstants()
        self._has_offset = bool(self._offset.any())

    @property
    def is_affine(self) -> bool:
        """Whether no row is any other expression."""
        return not self._groups

    def entries(self) -> tuple[Numbers, ...]:
        """An affine map, entry by entry: doubles and 64-bit integers.

        Returns:
            Offsets ``(n_rows,)``; rows, columns and slopes of what depends on what is given per
            sample; and of what depends on the rest.
        """
        return (self._offset.astype(np.float64), *self._inputs.entries, *self._weights.entries)

    def numbers(self, batched: Numbers | None, shared: Numbers) -> Numbers:
        """What calling an affine map gives, for arrays; float64 where anything is computed.

        Raises:
            CircuitError: An angle that is not finite for finite values.
        """
        selects = self._weights if batched is None or self._inputs.is_zero else self._inputs
        if selects.selects and not self._has_offset:
            if selects is self._weights:
                return self._weights.of(shared)[None]
            if self._weights.is_zero and batched is not None:
                return self._inputs.of(batched)
        angles = self._offset[None]
        with np.errstate(over="ignore", invalid="ignore"):
            if batched is not None and not self._inputs.is_zero:
                angles = angles + self._inputs.of(batched)
            if not self._weights.is_zero:
                angles = angles + self._weights.of(shared)
            if math.isfinite(angles.sum()) or np.isfinite(angles).all():
                return angles
        given = [shared] if batched is None else [batched, shared]
        if all(np.isfinite(values).all() for values in given):
            raise CircuitError(_TOO_LARGE)
        return angles

    def pull_inputs(self, slopes: Numbers) -> Numbers:
        """Gradients by what is given per sample, from those by affine angles, ``(B, n_rows)``."""
        return self._inputs.pull(slopes)

    def pull_weights(self, slopes: Numbers) -> Numbers:
        """Gradients by what is given once, from those by affine angles, ``(n_rows,)``."""
        return self._weights.pull(slopes)

    def __call__(self, batched: Tensor | None, shared: Tensor) -> Tensor:
        """Angles in radians, ``(B or 1, n_rows)``; 1 where no sample changes any.

        In float64, or as they were given where the angles are the parameters themselves.

        Args:
            batched: ``(B, num_batched - skipped)`` of any float dtype; None for rows that no
                batched parameter reaches.
            shared: ``(n_parameters - num_batched,)``.

        Raises:
            CircuitError: An angle that is not a finite real number for these finite values.
        """
        if self._are_weights:
            return shared[None]
        if self._are_inputs and batched is not None:
            return batched
        shared = shared.double()
        batched = None if batched is None else batched.double()
        angles = self._affine(batched, shared)
        _check_size(angles, [shared] if batched is None else [batched, shared])
        if not self._groups:
            return angles
        values = [group(batched, shared) for group in self._groups]
        rows = max(len(part) for part in (angles, *values))
        parts = torch.cat([part.expand(rows, -1) for part in (angles, *values)], dim=-1)
        return parts.index_select(-1, self._index("order", self._order, parts))

    def _affine(self, batched: Tensor | None, shared: Tensor) -> Tensor:
        inputs = None if batched is None or self._inputs.is_zero else self._inputs(batched)
        if inputs is not None and self._weights.is_zero and not self._has_offset:
            return inputs
        constant = self._constants.get("offset", lambda: self._offset, shared.device, shared.dtype)
        angles = constant if self._weights.is_zero else constant + self._weights(shared)
        return angles[None] if inputs is None else inputs + angles

    def _index(self, name: str, value: npt.NDArray[np.intp], like: Tensor) -> Tensor:
        return self._constants.get(name, lambda: value, like.device, torch.int64)


def kept_in_graph(values: Tensor, *unread: Tensor) -> Tensor:
    """Values ``(B, …)`` as a function of tensors ``(B, n)`` or ``(n,)`` that change nothing."""
    for tensor in unread:
        if tensor.requires_grad:
            values = values + (0 * tensor).sum(dim=-1, keepdim=True).to(values.dtype)
    return values


class _Linear:
    """A sparse matrix for vectors on the last axis; a dense one where that is not much larger."""

    def __init__(self, entries: Sequence[tuple[int, int, float]], shape: tuple[int, int]) -> None:
        self.is_zero = not entries
        self._size = shape[0]
        self._rows = np.array([row for row, _, _ in entries], dtype=np.intp)
        self._columns = np.array([column for _, column, _ in entries], dtype=np.intp)
        self._slopes = np.array([slope for _, _, slope in entries], dtype=np.float64)
        self._one_per_row = np.array_equal(self._rows, np.arange(shape[0]))
        self.is_identity = (
            shape[0] == shape[1]
            and self._one_per_row
            and np.array_equal(self._columns, self._rows)
            and bool(np.all(self._slopes == 1))
        )
        # one parameter per row, as it is: nothing is computed, so nothing is rounded
        self.selects = self._one_per_row and bool(np.all(self._slopes == 1))
        self._distinct = len(np.unique(self._columns)) == len(entries)
        self._width = shape[1]
        size = shape[0] * shape[1]
        self._matrix: npt.NDArray[np.float64] | None = None
        if size <= max(DENSE_ENTRIES, DENSE_SHARE * len(entries)) and not self.is_identity:
            self._matrix = np.zeros(shape)
            self._matrix[self._rows, self._columns] = self._slopes
        self._constants = DeviceConstants()

    def __call__(self, vectors: Tensor) -> Tensor:
        """``(…, n_columns)`` → ``(…, n_rows)``, of float64."""
        if self.is_identity:
            return vectors
        if self._matrix is not None:
            matrix = self._matrix
            return vectors @ self._get("matrix", lambda: matrix, vectors).mT
        columns = self._get("columns", lambda: self._columns, vectors, torch.int64)
        slopes = self._get("slopes", lambda: self._slopes, vectors)
        terms = vectors.index_select(-1, columns) * slopes
        if self._one_per_row:
            return terms
        rows = self._get("rows", lambda: self._rows, vectors, torch.int64)
        return vectors.new_zeros(*vectors.shape[:-1], self._size).index_add(-1, rows, terms)

    @property
    def entries(self) -> tuple[Numbers, Numbers, Numbers]:
        """Rows, columns and slopes."""
        return self._rows.astype(np.int64), self._columns.astype(np.int64), self._slopes

    def of(self, vectors: Numbers) -> Numbers:
        """The same for arrays; in their own precision where rows are parameters as they are."""
        if self.is_identity:
            return vectors
        if self.selects:
            chosen: Numbers = vectors.take(self._columns, axis=-1)
            return chosen
        vectors = vectors.astype(np.float64, copy=False)
        if self._matrix is not None:
            product: Numbers = vectors @ self._matrix.T
            return product
        terms: Numbers = vectors.take(self._columns, axis=-1) * self._slopes
        if self._one_per_row:
            return terms
        out = np.zeros((*vectors.shape[:-1], self._size))
        np.add.at(out.T, self._rows, terms.T)
        return out

    def pull(self, slopes: Numbers) -> Numbers:
        """The transposed matrix on the last axis: ``(…, n_rows)`` → ``(…, n_columns)``."""
        if self.is_identity:
            return slopes
        if self._one_per_row and self._distinct:
            out = np.zeros((*slopes.shape[:-1], self._width))
            out[..., self._columns] = slopes if self.selects else slopes * self._slopes
            return out
        if self._matrix is not None:
            product: Numbers = slopes @ self._matrix
            return product
        out = np.zeros((*slopes.shape[:-1], self._width))
        np.add.at(out.T, self._columns, (slopes[..., self._rows] * self._slopes).T)
        return out

    def _get(
        self,
        name: str,
        make: Callable[[], npt.NDArray[np.float64] | npt.NDArray[np.intp]],
        like: Tensor,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        return self._constants.get(name, make, like.device, dtype)


@dataclass(frozen=True, eq=False)
class _Group:
    """Free angles of one formula.

    Attributes:
        angles: The angle of every place.
        places: Where their values belong.
        arguments: Of every argument, whether it differs from sample to sample, and the columns.
    """

    angles: Sequence[FreeAngle]
    places: Sequence[int]
    arguments: Sequence[tuple[bool, npt.NDArray[np.intp]]]
    constants: DeviceConstants = field(default_factory=DeviceConstants)

    def __call__(self, batched: Tensor | None, shared: Tensor) -> Tensor:
        """Angles ``(B or 1, n_places)``."""
        values = []
        for number, (varies, columns) in enumerate(self.arguments):
            source = batched if varies and batched is not None else shared[None]
            make = partial(np.asarray, columns)
            index = self.constants.get(number, make, shared.device, torch.int64)
            values.append(source.index_select(-1, index))
        formula, factor = self.angles[0].formula, self.angles[0].factor
        found: Tensor = factor * real_values(formula, values, self._refuse)
        return found.reshape(-1, found.shape[-1] if found.ndim else 1).expand(-1, len(self.places))

    def _refuse(self, column: int) -> CircuitError:
        return CircuitError(
            f"the gate angle {self.angles[column].expression} is not a real number for some of "
            "the values that were given"
        )


def real_values(
    formula: Formula, arguments: Sequence[Tensor], error: Callable[[int], CircuitError]
) -> Tensor:
    """A formula of real tensors that broadcast against each other, differentiably.

    What has no real value on the way, such as a root of a negative number that is squared again, is
    computed with complex numbers, as Qiskit does.

    Args:
        formula: What to compute.
        arguments: ``(…, n)`` of float64.
        error: Makes what is raised from the index on the last axis of a value that is not real.

    Raises:
        CircuitError: That error; not under ``torch.func`` transforms, where it stays NaN.
    """
    value = torch.as_tensor(formula(arguments, _FUNCTIONS), device=arguments[0].device)
    if not value.is_complex():
        # a look at a value makes a device wait: only where it is likely to tell something
        may = transforms.may_look(value)
        looks = may or (formula.is_partial and not transforms.is_functional())
        if not looks or bool(value.isfinite().all()) or _has_nonfinite(arguments):
            return value.to(torch.float64)
        value = formula([x.to(torch.complex128) for x in arguments], _FUNCTIONS)
        if not isinstance(value, Tensor):
            raise error(0)
    real, imaginary = value.real, value.imag.detach()
    wrong = ~(imaginary.abs() <= 1e-12 * real.detach().abs().clamp_min(1.0))
    wrong |= ~real.detach().isfinite()
    if not transforms.is_functional() and bool(wrong.any()):
        raise error(int(wrong.reshape(-1, wrong.shape[-1]).nonzero()[0, -1]))
    return real


def _check_size(angles: Tensor, given: Sequence[Tensor]) -> None:
    """Refuse angles that overflow, where they can be looked at without waiting for a device."""
    if not transforms.may_look(angles) or math.isfinite(angles.detach().sum()):
        return
    if not bool(angles.detach().isfinite().all()) and not _has_nonfinite(given):
        raise CircuitError(_TOO_LARGE)


def _has_nonfinite(tensors: Sequence[Tensor]) -> bool:
    return not all(bool(tensor.detach().isfinite().all()) for tensor in tensors)


def _groups(free: Mapping[int, FreeAngle], num_batched: int, skipped: int) -> list[_Group]:
    """The free angles by place, sorted by formula and by which arguments are batched."""
    found: dict[tuple[str, float, tuple[bool, ...]], list[int]] = defaultdict(list)
    for place, angle in free.items():
        varies = tuple(p < num_batched for p in angle.parameters)
        # as text: 0.0 equals -0.0, and one over them does not
        found[repr(angle.formula.steps), angle.factor, varies].append(place)

    def columns(parameters: Sequence[ParameterIndex], varies: bool) -> npt.NDArray[np.intp]:
        return np.array(parameters, dtype=np.intp) - (skipped if varies else num_batched)

    groups = []
    for (_, _, varies), places in found.items():
        angles = [free[place] for place in places]
        by_argument = zip(*(angle.parameters for angle in angles), strict=True)
        arguments = [(v, columns(p, v)) for v, p in zip(varies, by_argument, strict=True)]
        groups.append(_Group(angles, places, arguments))
    return groups


def _sign(value: Tensor) -> Tensor:
    """The sign; of NaN NaN, where torch says 0."""
    return torch.where(value.isnan(), value, torch.sgn(value))


_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "SIN": torch.sin,
    "COS": torch.cos,
    "TAN": torch.tan,
    "ASIN": torch.asin,
    "ACOS": torch.acos,
    "ATAN": torch.atan,
    "EXP": torch.exp,
    "LOG": torch.log,
    "ABS": torch.abs,
    "SIGN": _sign,
    "CONJ": torch.conj,
}
