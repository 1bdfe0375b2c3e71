r"""States → expectation values of Pauli strings, in pieces.

The string :math:`P = i^{|x \wedge z|} X^x Z^z` has the value
:math:`\sum_j \bar ψ_j ψ_{j ⊕ x} \, i^{|x \wedge z|} (-1)^{|(j ⊕ x) \wedge z|}`. The signs of
an index are those of its low bits times those of its high bits, so two small tables stand for one
of :math:`2^n` rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.program.operations import Matrix
from qvlm_qiskit.quantum.statevector.tensors.steps import axes_of
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

TABLE_ENTRIES = 1 << 20
"""Up to this size a table has all 2ⁿ rows: one matrix product for all terms of an X mask."""

PIECES_BITS = 3
"""Where there is no such table, a state is read in 2**3 pieces."""


@dataclass(frozen=True)
class Term:
    """One Pauli string of one observable on the active qubits."""

    x: int
    z: int
    coefficient: float
    column: int


def pauli_phases(x: int, z: int, dim: int) -> Matrix:
    """The f with (Pψ)_j = f_j ψ_{j⊕x} for P = i^|x∧z| X^x Z^z."""
    unit = 1j ** (x & z).bit_count()
    return np.asarray(unit * _signs(np.arange(dim) ^ x, z), dtype=np.complex128)


class Readout:
    """Expectation values of weighted Pauli strings."""

    def __init__(self, terms: Sequence[Term], num_qubits: int, num_observables: int) -> None:
        """Sort the strings by their X mask; nothing is allocated yet.

        Args:
            terms: The Pauli strings of all observables.
            num_qubits: n.
            num_observables: Columns of the result.
        """
        self.num_qubits = num_qubits
        self.num_observables = num_observables
        self._groups: dict[int, list[Term]] = defaultdict(list)
        for term in terms:
            self._groups[term.x].append(term)
        self._constants = DeviceConstants()

    def __call__(self, state: Tensor) -> Tensor:
        """Values ``(B, n_observables)`` of states ``(B, 2**n)``."""
        real = state.real.dtype
        out = torch.zeros(state.shape[0], self.num_observables, dtype=real, device=state.device)
        whole = self.num_observables << self.num_qubits <= TABLE_ENTRIES
        for x, terms in self._groups.items():
            out = out + (self._by_table if whole else self._in_pieces)(x, terms, state)
        return out

    def _by_table(self, x: int, terms: Sequence[Term], state: Tensor) -> Tensor:
        make = partial(_weights, terms, 1 << self.num_qubits, self.num_observables)
        matrix = self._constants.get(("weights", x), make, state.device, state.dtype)
        if x == 0:
            return (state.real**2 + state.imag**2) @ matrix.real
        return (state.conj() * _flipped(state, x, self.num_qubits) @ matrix).real

    def _in_pieces(self, x: int, terms: Sequence[Term], state: Tensor) -> Tensor:
        low = max(self.num_qubits // 2, (TABLE_ENTRIES // len(terms)).bit_length() - 1)
        pieces = 1 << min(PIECES_BITS, self.num_qubits)
        inside = self.num_qubits - pieces.bit_length() + 1
        low = min(low, inside)
        real, device = state.real.dtype, state.device
        below, above, weights = (
            self._constants.get((name, x), partial(make, x, terms, low, self), device, dtype)
            for name, make, dtype in (
                ("low", _low, real),
                ("high", _high, torch.float64),
                ("columns", _columns, torch.float64),
            )
        )
        split = state.reshape(state.shape[0], pieces, -1)
        width = (1 if x == 0 else 2) * len(terms)
        total = state.new_zeros(state.shape[0], width, dtype=torch.float64)
        for piece, signs in enumerate(above.reshape(pieces, -1, len(terms)).unbind()):
            one = split[:, piece]
            if x == 0:
                parts = [one.real**2 + one.imag**2]
            else:
                other = _flipped(split[:, piece ^ x >> inside], x & (1 << inside) - 1, inside)
                product = one.conj() * other
                parts = [product.real, product.imag]
            # signs are doubles, so many small sums are added in doubles
            sums = [((p.reshape(len(p), -1, 1 << low) @ below) * signs).sum(1) for p in parts]
            total = total + torch.cat(sums, dim=-1)
        return (total @ weights).to(real)


def _flipped(state: Tensor, x: int, num_qubits: int) -> Tensor:
    """Amplitude j becomes amplitude j ⊕ x."""
    qubits = [q for q in range(num_qubits) if x >> q & 1]
    split = state.reshape(state.shape[0], *axes_of(qubits, num_qubits))
    return split.flip([2 * i + 2 for i in range(len(qubits))]).reshape(state.shape)


def _weights(terms: Sequence[Term], dim: int, num_observables: int) -> Matrix:
    """The complex weights ``(2**n, n_observables)`` of conj(ψ_j)·ψ_{j⊕x}."""
    weights = np.zeros((dim, num_observables), dtype=complex)
    for term in terms:
        weights[:, term.column] += term.coefficient * pauli_phases(term.x, term.z, dim)
    return weights


def _low(x: int, terms: Sequence[Term], low: int, readout: Readout) -> npt.NDArray[np.float64]:
    """Signs of the low bits, ``(2**low, n_terms)``."""
    return np.stack([_signs(np.arange(1 << low), term.z) for term in terms], axis=1)


def _high(x: int, terms: Sequence[Term], low: int, readout: Readout) -> npt.NDArray[np.float64]:
    """Signs of the high bits, ``(2**(n - low), n_terms)``."""
    index = np.arange(1 << (readout.num_qubits - low)) << low
    return np.stack([_signs(index, term.z) for term in terms], axis=1)


def _columns(x: int, terms: Sequence[Term], low: int, readout: Readout) -> npt.NDArray[np.float64]:
    """What the sums of real parts and, if x ≠ 0, of imaginary parts add to which observable."""
    real = np.zeros((len(terms), readout.num_observables))
    imaginary = np.zeros_like(real)
    for row, term in enumerate(terms):
        sign = -1.0 if (x & term.z).bit_count() % 2 else 1.0
        factor = term.coefficient * sign * 1j ** (x & term.z).bit_count()
        # Re(factor · sum) of a sum of complex products
        real[row, term.column] = factor.real
        imaginary[row, term.column] = -factor.imag
    return real if x == 0 else np.concatenate([real, imaginary])


def _signs(index: npt.NDArray[np.int64], z: int) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 - 2.0 * (np.bitwise_count(index & z) & 1), dtype=np.float64)
