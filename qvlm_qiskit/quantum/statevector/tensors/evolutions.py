r"""Exponentials of Hamiltonians: :math:`e^{-itH}` on states, with exact derivatives.

H is diagonalised once, :math:`H = V \Lambda V^\dagger`, for all evolutions under it. Its change
is then seen in its own eigenbasis, :math:`M = V^\dagger H V` with V held fixed: M is the diagonal
matrix of the levels, but all its entries have a derivative. With the divided differences of the
exponential (Daleckii and Krein),

.. math:: \mathrm{d}(e^{-itM})_{ij} = F_{ij}\,\mathrm{d}M_{ij}, \qquad
    F_{ij} = \frac{e^{-it\lambda_i} - e^{-it\lambda_j}}{\lambda_i - \lambda_j}
    = -it\, e^{-it(\lambda_i + \lambda_j)/2}\,
    \frac{\sin x_{ij}}{x_{ij}}, \quad x_{ij} = \frac{t(\lambda_i - \lambda_j)}{2},

which has no pole where levels are equal; the eigenvectors, which have no derivative there, need
none. Levels and phases are computed in double precision; a multiple of the identity in H, which is
a global phase, is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution, Hamiltonian
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import (
    differentiable_gradients,
    is_transformed,
    may_look,
    require_single,
)

SMALLEST_GAP = 1e-20
"""Levels that are closer count as so far apart: far enough to divide by in single precision."""


@dataclass(frozen=True)
class Spectrum:
    """Diagonalised Hamiltonians; ``b`` is the batch, or 1 where all samples share them.

    Attributes:
        levels: Eigenvalues ``(b, d)`` of float64, without a graph.
        vectors: Eigenvectors in columns ``(b, d, d)``, real or complex, without a graph.
        own: The Hamiltonians in their eigenbasis ``(b, d, d)``, through which gradients go.
        gaps: Half the distances of the levels ``(b, d, d)``, never 0.
    """

    levels: Tensor
    vectors: Tensor
    own: Tensor
    gaps: Tensor

    def applied(self, rows: Tensor, time: Tensor) -> Tensor:
        """Rows ``(b or 1, r, d)`` of states after the times ``(b or 1,)``."""
        inside = _times(rows, self.vectors.conj())
        turned = cast(Tensor, _Phases.apply(self.own, time, inside, self.levels, self.gaps))  # type: ignore[no-untyped-call]
        return _times(turned, self.vectors.mT)

    @property
    def batch(self) -> int:
        """How many there are."""
        return len(self.levels)


@dataclass(frozen=True)
class Undiagonalised:
    """The matrices themselves ``(b, d, d)``, exponentiated by torch: its transforms go through."""

    matrices: Tensor

    def applied(self, rows: Tensor, time: Tensor) -> Tensor:
        """Rows ``(b or 1, r, d)`` of states after the times ``(b or 1,)``."""
        return rows @ _exponential(self.matrices, time, rows.dtype).mT

    @property
    def batch(self) -> int:
        """How many there are."""
        return len(self.matrices)


Exponential = Spectrum | Undiagonalised


class EvolutionBank:
    """All Hamiltonians of a program: those of one form are made and diagonalised together."""

    def __init__(
        self,
        evolutions: Sequence[Evolution],
        shared: Mapping[int, int],
        batched: Mapping[int, int],
    ) -> None:
        """Sort the Hamiltonians.

        Args:
            evolutions: The program's.
            shared: The column of every row of the angle table that samples share.
            batched: The column of every other row.
        """
        groups: dict[tuple[Any, bool], list[Hamiltonian]] = defaultdict(list)
        for one in dict.fromkeys(evolution.hamiltonian for evolution in evolutions):
            groups[one.form, not batched.keys().isdisjoint(one.rows)].append(one)
        self._groups = [
            _Group(members, varies, shared, batched) for (_, varies), members in groups.items()
        ]

    def exponentials(
        self, shared: Tensor, batched: Tensor, dtype: torch.dtype
    ) -> dict[Hamiltonian, Exponential]:
        """Every Hamiltonian, ready to be exponentiated.

        Args:
            shared: ``(n_shared,)`` of float64.
            batched: ``(B, n_batched)`` of float64.
            dtype: Of the states.
        """
        found: dict[Hamiltonian, Exponential] = {}
        for group in self._groups:
            matrices = group.members[0].form.matrix(group.values(shared, batched))
            found |= zip(group.members, _prepared(matrices, dtype), strict=True)
        return found


class _Group:
    """Hamiltonians of one form, all of them different in every sample or none."""

    def __init__(
        self,
        members: Sequence[Hamiltonian],
        varies: bool,
        shared: Mapping[int, int],
        batched: Mapping[int, int],
    ) -> None:
        self.members = members
        self.varies = varies
        rows = list(dict.fromkeys(row for one in members for row in one.rows if row in shared))
        place = {row: i for i, row in enumerate(rows)}
        place |= {row: len(rows) + column for row, column in batched.items()}
        self._used = np.array([shared[row] for row in rows], dtype=np.int64)
        self._places = np.array([[place[row] for row in one.rows] for one in members])
        self._constants = DeviceConstants()

    def values(self, shared: Tensor, batched: Tensor) -> Tensor:
        """What they consist of, ``(B or 1, members, size)``."""
        used = self._constants.get("used", lambda: self._used, shared.device, torch.int64)
        source = shared.index_select(0, used)[None]
        if self.varies:
            source = torch.cat([source.expand(len(batched), -1), batched], dim=-1)
        places = self._constants.get("places", self._places.ravel, shared.device, torch.int64)
        return source.index_select(-1, places).reshape(len(source), *self._places.shape)


def evolved(state: Tensor, qubits: Sequence[int], exponential: Exponential, time: Tensor) -> Tensor:
    """States after evolutions e^{-itH} on some of their qubits.

    Args:
        state: ``(B, 2**n)``.
        qubits: The first one is least significant in H.
        exponential: H, of every sample or of all.
        time: t, ``(B,)`` or ``(1,)``.
    """
    n, k = state.shape[-1].bit_length() - 1, len(qubits)
    axes, last = [-1 - qubit for qubit in reversed(qubits)], list(range(-k, 0))
    moved = state.reshape(-1, *[2] * n).movedim(axes, last)
    rows = moved.reshape(len(moved), -1, 1 << k)
    if exponential.batch == len(time) == 1:
        # the same for all samples: a single matrix
        identity = torch.eye(1 << k, dtype=state.dtype, device=state.device)[None]
        rows = rows.flatten(0, 1) @ exponential.applied(identity, time)[0]
        new = rows.reshape(moved.shape)
    else:
        rows = exponential.applied(rows, time)
        new = rows.reshape(len(rows), *moved.shape[1:])
    return new.movedim(last, axes).reshape(len(new), -1)


def exponential_of(matrices: Tensor, dtype: torch.dtype) -> Exponential:
    """Hamiltonians ``(b, d, d)``, ready to be exponentiated for states of a dtype."""
    (only,) = _prepared(matrices[:, None], dtype)
    return only


def _prepared(matrices: Tensor, dtype: torch.dtype) -> list[Exponential]:
    """Matrices ``(b, members, d, d)``, each member ready to be exponentiated."""
    # a multiple of the identity is a global phase, which would cost digits of the others; whoever
    # wants it adds it: see ProgramBuilder
    diagonal = matrices.diagonal(dim1=-2, dim2=-1)
    mean = diagonal.mean(-1, keepdim=True).expand_as(diagonal)
    matrices = matrices - torch.diag_embed(mean)
    if is_transformed(matrices) or torch.compiler.is_exporting():
        return [Undiagonalised(one) for one in matrices.unbind(1)]
    levels, vectors = _diagonalised(matrices.detach())
    vectors = vectors.to(dtype if vectors.is_complex() else dtype.to_real())
    own = vectors.mH @ matrices.to(vectors.dtype) @ vectors
    parts = (levels, vectors, own, _gaps(levels).to(dtype.to_real()))
    return [Spectrum(*part) for part in zip(*(part.unbind(1) for part in parts), strict=True)]


def _diagonalised(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors; NaN for a matrix that is not finite."""
    finite = matrices.isfinite().all(-1).all(-1)
    kept = torch.where(finite[..., None, None], matrices, 0)
    if may_look(matrices):
        # one LAPACK call per matrix either way; torch's starts its threads for every one
        levels, vectors = map(torch.from_numpy, np.linalg.eigh(memory_view(kept)))
    else:
        levels, vectors = torch.linalg.eigh(kept)
    return torch.where(finite[..., None], levels, torch.nan), vectors


class _Phases(torch.autograd.Function):
    """Rows times e^{-itM} for M that is diagonal, with the derivatives of any M."""

    @staticmethod
    def forward(
        ctx: Any, own: Tensor, time: Tensor, rows: Tensor, levels: Tensor, gaps: Tensor
    ) -> Tensor:
        result = rows * _phases(levels * time[:, None], rows.dtype)
        ctx.save_for_backward(own, time, rows, levels, gaps)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        own, time, rows, levels, gaps = ctx.saved_tensors
        needed = ctx.needs_input_grad
        if torch.is_grad_enabled():  # create_graph=True: what is below has no derivative by M
            values = rows @ _exponential(own, time, rows.dtype).mT
            inputs = own, time, rows
            return (*differentiable_gradients(values, inputs, needed, grad), None, None)
        half = _phases(levels * time[:, None] / 2, rows.dtype)
        left, right = half.conj() * grad, half * rows
        by_own = by_time = by_rows = None
        if needed[0]:
            by_own = _by_own(left, right, gaps, time, own.is_complex()).sum_to_size(own.shape)
        if needed[1]:
            turned = (left.conj() * right).imag.sum(1).double()
            by_time = (levels * turned).sum(-1).sum_to_size(time.shape)
        if needed[2]:
            by_rows = (half.conj() * left).sum_to_size(rows.shape)
        return by_own, by_time, by_rows, None, None


def _by_own(left: Tensor, right: Tensor, gaps: Tensor, time: Tensor, is_complex: bool) -> Tensor:
    """The gradient by M, ``(b, d, d)``: the conjugate divided differences times left · right†."""
    factors = torch.sin(gaps * time.to(gaps.dtype)[:, None, None]) / gaps
    if is_complex:
        return 1j * factors * (left.mT @ right.conj())
    first = torch.cat([left.imag, left.real], dim=1)
    second = torch.cat([-right.real, right.imag], dim=1)
    return factors * (first.mT @ second)


def _gaps(levels: Tensor) -> Tensor:
    """Half the distances of levels ``(…, d)``; those of equal ones so small that sin(x) is x."""
    gaps = (levels[..., :, None] - levels[..., None, :]) / 2
    return torch.where(gaps.abs() < SMALLEST_GAP, SMALLEST_GAP, gaps)


def _phases(angles: Tensor, dtype: torch.dtype) -> Tensor:
    """e^{-i·angle} for rows of states, ``(b, 1, d)``."""
    return torch.polar(torch.ones_like(angles), -angles).to(dtype)[:, None]


def _exponential(matrices: Tensor, time: Tensor, dtype: torch.dtype) -> Tensor:
    """e^{-itH} by torch, which is differentiable any number of times."""
    return torch.matrix_exp(-1j * time[:, None, None] * matrices.to(torch.complex128)).to(dtype)


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    """Complex rows ``(b, r, d)`` times real or complex matrices."""
    if matrices.is_complex():
        return rows @ matrices
    parts = torch.cat([rows.real, rows.imag], dim=1) @ matrices
    return torch.complex(*parts.chunk(2, dim=1))
