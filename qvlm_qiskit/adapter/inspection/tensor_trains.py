r"""Matrices as trains of small tensors (matrix-product operators).

A matrix of :math:`\prod_k o_k` rows and :math:`\prod_k i_k` columns is a product of cores, of shape
``(b, o, i, c)`` each: b is the bond to the core before, c to the one behind, and the first and last
bond are one. With all bonds one it is a Kronecker product of small matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.errors import InputError

PRODUCT = 6
"""What one product costs in a train, of small tensors that are moved about, beside a matrix's."""


def factors_of(width: int, count: int) -> tuple[int, ...]:
    """A width as a product of so many whole numbers, as equal as greedy sharing of primes makes it.

    Args:
        width: At least 1. Of a prime one, all factors but one are 1.
        count: How many factors.

    Raises:
        InputError: Not positive whole numbers.
    """
    check_whole("width", width)
    check_whole("count", count)
    factors = [1] * count
    for prime in reversed(_primes(width)):
        factors[factors.index(min(factors))] *= prime
    return tuple(sorted(factors))


def _primes(number: int) -> list[int]:
    """Prime factors in rising order."""
    found, prime = [], 2
    while prime * prime <= number:
        while number % prime == 0:
            found.append(prime)
            number //= prime
        prime += 1
    return found + [number] * (number > 1)


def apply_train(cores: Sequence[Tensor], rows: Tensor) -> Tensor:
    """Rows times the transposed matrix, without making the matrix.

    Args:
        cores: ``(b, o, i, c)`` each.
        rows: ``(…, in)``.

    Returns:
        ``(…, out)``.
    """
    lead, rest = rows.shape[:-1], rows.shape[-1]
    state = rows.reshape(math.prod(lead), 1, rest)
    for core in cores:
        bond, _, columns, _ = core.shape
        rest //= columns
        state = state.reshape(len(state), bond, columns, rest)
        state = torch.einsum("pbir,boic->pocr", state, core).flatten(0, 1)
    return state.reshape(*lead, math.prod(core.shape[1] for core in cores))


def matrix_of(cores: Sequence[Tensor]) -> Tensor:
    """The matrix ``(out, in)`` of a train."""
    state = cores[0].new_ones(1, 1, 1)
    for core in cores:
        state = torch.einsum("OIb,boic->OoIic", state, core)
        state = state.flatten(0, 1).flatten(1, 2)
    return state.squeeze(-1)


def multiplications(cores: Sequence[Tensor]) -> tuple[int, int]:
    """How many numbers are multiplied for one row by :func:`apply_train`, and by `matrix_of`."""
    rest, before, row = math.prod(core.shape[2] for core in cores), 1, 0
    made, dense = 1, 0
    for core in cores:
        _, out, columns, _ = core.shape
        rest //= columns
        row += before * rest * core.numel()
        before *= out
        dense += made * core.numel()
        made *= out * columns
    return row, dense


def times_train(cores: Sequence[Tensor], rows: Tensor) -> Tensor:
    """What :func:`apply_train` returns, by the train or by its matrix: what costs less.

    Args:
        cores: ``(b, o, i, c)`` each.
        rows: ``(…, in)``.
    """
    row, made = multiplications(cores)
    count = math.prod(rows.shape[:-1])
    whole = math.prod(core.shape[1] * core.shape[2] for core in cores)
    if PRODUCT * count * row < made + count * whole:
        return apply_train(cores, rows)
    return torch.nn.functional.linear(rows, matrix_of(cores))


def train_of(
    matrix: Tensor, out_factors: Sequence[int], in_factors: Sequence[int], bond: int | None
) -> list[Tensor]:
    """A matrix as a train, by successive singular value decompositions in double precision.

    Every cut keeps the largest singular values, so that the squared error is at most the sum of all
    squares that were left out (Oseledets, Tensor-Train Decomposition, 2011).

    Args:
        matrix: ``(out, in)``.
        out_factors: Their product is ``out``.
        in_factors: As many, of ``in``.
        bond: Most singular values that a cut keeps; None for all, which is exact.

    Returns:
        Cores ``(b, o, i, c)`` of the matrix's dtype.

    Raises:
        InputError: The factors don't fit, the bond is below one, or the matrix is not finite.
    """
    _check_train(matrix, out_factors, in_factors, bond)
    count = len(out_factors)
    order = [
        axis for pair in zip(range(count), range(count, 2 * count), strict=True) for axis in pair
    ]
    rest = matrix.detach().double().reshape(*out_factors, *in_factors).permute(order).reshape(1, -1)
    cores: list[Tensor] = []
    for out, columns in list(zip(out_factors, in_factors, strict=True))[:-1]:
        left, values, right = torch.linalg.svd(
            rest.reshape(len(rest) * out * columns, -1), full_matrices=False
        )
        kept = len(values) if bond is None else min(bond, len(values))
        cores.append(left[:, :kept].reshape(len(rest), out, columns, kept))
        rest = values[:kept, None] * right[:kept]
    cores.append(rest.reshape(len(rest), out_factors[-1], in_factors[-1], 1))
    return [core.to(matrix.dtype) for core in cores]


def _check_train(
    matrix: Tensor, out_factors: Sequence[int], in_factors: Sequence[int], bond: int | None
) -> None:
    wanted = (math.prod(out_factors), math.prod(in_factors))
    if len(out_factors) != len(in_factors) or not out_factors or tuple(matrix.shape) != wanted:
        raise InputError(
            f"factors {tuple(out_factors)} and {tuple(in_factors)} don't fit a matrix of shape "
            f"{tuple(matrix.shape)}"
        )
    if bond is not None:
        check_whole("bond", bond)
    if not torch.isfinite(matrix).all():
        raise InputError("a matrix that is not finite can't be decomposed")
