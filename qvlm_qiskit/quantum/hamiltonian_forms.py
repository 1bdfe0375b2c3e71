r"""Hamiltonians as real numbers: which numbers there are, and what they are the entries of.

Every form is linear: its matrix is a sum of fixed matrices, each times one real number. With masks
x and z and the Pauli string :math:`P_{xz} = i^{|x \wedge z|} X^x Z^z`,

.. math:: H_{j \oplus x, j} = \sum_z i^{|x \wedge z|} (-1)^{z \cdot j} c_{xz},

so strings and entries are a Walsh–Hadamard transform apart, for each x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import ParameterExpression
from torch import Tensor

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

Coefficient = tuple[str, Any]
"""A Pauli string, qubit 0 last, and its factor: a number or an expression."""


@dataclass(frozen=True)
class PauliForm:
    """Factors of Pauli strings, all of one length, each string once."""

    labels: tuple[str, ...]

    @property
    def num_qubits(self) -> int:
        """The number of qubits that H acts on."""
        return len(self.labels[0])

    @property
    def size(self) -> int:
        """How many numbers."""
        return len(self.labels)

    @cached_property
    def is_real(self) -> bool:
        """Whether the matrix is real: an even number of Y in every string."""
        return all(label.count("Y") % 2 == 0 for label in self.labels)

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix ``(…, 2**n, 2**n)``, real or complex, of numbers ``(…, size)``."""
        places, phases, signs, source = _tensors(self, _pauli_tables(self), values.device)
        grid = values.new_zeros(*values.shape[:-1], len(source)).index_add(-1, places, values)
        grid = grid * phases.to(values.dtype if self.is_real else values.dtype.to_complex())
        by_shift = grid.reshape(*grid.shape[:-1], *signs.shape) @ signs.to(grid.dtype)
        return by_shift.flatten(-2).index_select(-1, source).reshape(by_shift.shape)

    def mean_level(self, values: Sequence[Any]) -> Any:
        """The trace over 2ⁿ, a number or an expression."""
        identity = "I" * self.num_qubits
        return values[self.labels.index(identity)] if identity in self.labels else 0.0

    def strings(self, values: Sequence[Any]) -> list[Coefficient]:
        """The Pauli strings, those with a factor that is the number 0 left out."""
        pairs = zip(self.labels, values, strict=True)
        return [(label, value) for label, value in pairs if not _is_zero(value)]


@dataclass(frozen=True)
class EntryForm:
    """The entries of the matrix on and above its diagonal, row by row.

    Of a real symmetric matrix these are all numbers; of a Hermitian one, the imaginary parts of
    those above the diagonal follow, row by row.
    """

    num_qubits: int
    is_real: bool

    @property
    def size(self) -> int:
        """How many numbers."""
        side = 1 << self.num_qubits
        return side * (side + 1) // 2 if self.is_real else side * side

    def matrix(self, values: Tensor) -> Tensor:
        """The matrix ``(…, 2**n, 2**n)``, real or complex, of numbers ``(…, size)``."""
        real, imaginary, signs = _tensors(self, _entry_tables(self), values.device)
        entries = values.index_select(-1, real)
        if not self.is_real:
            parts = values.index_select(-1, imaginary) * signs.to(values.dtype)
            entries = torch.complex(entries, parts)
        side = 1 << self.num_qubits
        return entries.reshape(*values.shape[:-1], side, side)

    def mean_level(self, values: Sequence[Any]) -> Any:
        """The trace over 2ⁿ, a number or an expression."""
        side = 1 << self.num_qubits
        diagonal = [values[row * side - row * (row - 1) // 2] for row in range(side)]
        return sum(diagonal[1:], diagonal[0]) / side

    def strings(self, values: Sequence[Any]) -> list[Coefficient]:
        """The matrix as a sum of Pauli strings; those whose factor is the number 0 are left out."""
        side = 1 << self.num_qubits
        real, imaginary, signs = (table.reshape(side, side) for table in _entry_tables(self))
        found: list[Coefficient] = []
        for x in range(side):
            rows = np.arange(side) ^ x, np.arange(side)
            even = _walsh([values[i] for i in real[rows]])
            odd = [0.0] * side
            if not self.is_real:
                pairs = zip(imaginary[rows], signs[rows], strict=True)
                odd = _walsh([float(sign) * values[i] if sign else 0.0 for i, sign in pairs])
            for z in range(side):
                turns = (x & z).bit_count() % 4
                value = (odd if turns % 2 else even)[z] * ((1 if turns < 2 else -1) / side)
                if not _is_zero(value):
                    found.append((_label(x, z, self.num_qubits), value))
        return found


Form = PauliForm | EntryForm
Tables = tuple[npt.NDArray[Any], ...]

_kept: LruCache[Form, DeviceConstants] = LruCache(64)


def entry_form(count: int) -> EntryForm | None:
    """The form that so many entries are of, None if there is none."""
    for num_qubits in range(1, count.bit_length()):
        for form in (EntryForm(num_qubits, True), EntryForm(num_qubits, False)):
            if form.size == count:
                return form
    return None


def _is_zero(value: Any) -> bool:
    return not isinstance(value, ParameterExpression) and value == 0


def _label(x: int, z: int, num_qubits: int) -> str:
    return "".join("IXZY"[(x >> q & 1) + 2 * (z >> q & 1)] for q in reversed(range(num_qubits)))


def _walsh(values: list[Any]) -> list[Any]:
    """``out[z] = Σ_j (-1)^{z·j} values[j]`` of numbers or expressions."""
    step = 1
    while step < len(values):
        for low in range(len(values)):
            if not low & step:
                upper, lower = values[low], values[low | step]
                values[low], values[low | step] = upper + lower, upper - lower
        step *= 2
    return values


@lru_cache(maxsize=64)
def _pauli_tables(form: PauliForm) -> Tables:
    """Place of every string on the grid (x, z), phases there, signs (z, j), sources of entries."""
    side = 1 << form.num_qubits
    masks = [
        [sum(1 << q for q, p in enumerate(reversed(label)) if p in some) for label in form.labels]
        for some in ("XY", "ZY")
    ]
    index = np.arange(side)
    crossings = np.bitwise_count(index[:, None] & index[None, :])
    phases = 1j ** (crossings % 4)
    source = (index[:, None] ^ index[None, :]) * side + index[None, :]
    signs = 1.0 - 2.0 * (crossings % 2)
    given = np.array(masks[0]) * side + np.array(masks[1])
    # on the grid an odd number of Y has an imaginary phase, which a real matrix has no use for
    kept = phases.real if form.is_real else phases
    return given, kept.ravel(), signs, source.ravel()


@lru_cache(maxsize=64)
def _entry_tables(form: EntryForm) -> Tables:
    """Of every entry: where its real and its imaginary part are, and the latter's sign."""
    side = 1 << form.num_qubits
    upper, strict = np.triu_indices(side), np.triu_indices(side, 1)
    real, imaginary = np.zeros((2, side, side), dtype=np.int64)
    real[upper] = np.arange(len(upper[0]))
    real = np.maximum(real, real.T)
    signs = np.zeros((side, side))
    if not form.is_real:
        imaginary[strict] = len(upper[0]) + np.arange(len(strict[0]))
        imaginary = np.maximum(imaginary, imaginary.T)
        signs[strict] = 1.0
        signs -= signs.T
    return real.ravel(), imaginary.ravel(), signs.ravel()


def _tensors(form: Form, tables: Tables, device: torch.device) -> list[Tensor]:
    """The tables on a device, copied there once."""
    kept = _kept.get(form, DeviceConstants)
    return [
        kept.get(number, partial(np.asarray, table), device, torch.as_tensor(table[:0]).dtype)
        for number, table in enumerate(tables)
    ]
