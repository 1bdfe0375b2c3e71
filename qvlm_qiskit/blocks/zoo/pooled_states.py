r"""Exact values of the pooling circuit of eight qubits, of which two are left, by few products.

Gate after gate, every sample's state of 256 amplitudes would be gone through more than sixty times.
But the first level is shallow. Its first round leaves four pairs of qubits, each in a state of its
own; its second joins them to a ring, so that a state is a product of matrices of two rows and
columns, one for each pair. Only then there are 256 amplitudes: sixteen outcomes of the first
measurements times sixteen amplitudes of the qubits that are left, on which all of the second level,
its measurements deferred, is one matrix of 16 × 16.

That matrix, and those of the ring, are the same for all samples. They are made of matrices of two
qubits whose entries are trigonometric polynomials in a level's angles: what becomes of a rotation,
:math:`e^{-iθP/2} = e^{-iθ/2}(1 + P)/2 + e^{iθ/2}(1 - P)/2`, multiplied out once and for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.executors.one_thread import one_thread
from qvlm_qiskit.quantum.torch_support.transforms import (
    constants,
    differentiable_gradients,
    may_leave_torch,
    require_single,
)

QUBITS, LEFT = 8, 2
"""Of the circuit, and at its end."""
ANGLES = 11
"""Of a level: nine of the convolution, then the two of the pooling."""
ALWAYS, IF_ONE = 9, 10

Matrix = npt.NDArray[Any]
Waves = dict[tuple[float, ...], Matrix]
"""Σ matrix · exp(i Σ factor · angle): the factors of a level's angles → the matrix of that wave."""

ONE, X, Y, Z = (
    np.array(rows)
    for rows in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
)
HADAMARD = (X + Z) / math.sqrt(2)
OF_SUMS = np.array([[1, 1, 0, 0], [0, 0, 1, -1], [0, 0, 1, 1], [-1, 1, 0, 0]]) / 2
"""The amplitudes of two qubits behind RY, from the cosines and then the sines of half the sum and
half the difference of their angles."""

# of a half of the ring: bond, kept, measured, kept, measured, bond
ONE_HALF, OTHER = (0, 3, 5, 2, 4, 1, 6), (0, 6, 1, 3, 5, 2, 4)
BETWEEN = (3, 0, 1, 2, 7, 4, 5, 6)
"""Gates on qubits 1, 2 and 3, 0 in place of 0, 1 and 2, 3."""
ONE_HALF_BACK, OTHER_BACK, BETWEEN_BACK = (
    tuple(order.index(axis) for axis in range(len(order))) for order in (ONE_HALF, OTHER, BETWEEN)
)


def pooled_values(angles: Tensor, weight: Tensor) -> Tensor:
    """⟨Z⟩ of the qubits that are left.

    Args:
        angles: Of the features' RY, ``(B, 8)`` of float32 or float64.
        weight: ``(22,)``: those of the first level, then those of the second.

    Returns:
        ``(B, 2)`` of the angles' dtype.
    """
    if may_leave_torch(angles, weight):
        return cast(Tensor, _Pooled.apply(angles, weight))  # type: ignore[no-untyped-call]
    return _values(angles, weight)


def _values(angles: Tensor, weight: Tensor) -> Tensor:
    """The same in torch operations, which have derivatives of any order."""
    return _Batch.of(angles, _Matrices.of(weight, angles)).values()


class _Pooled(torch.autograd.Function):
    """Both ways in one node and in one thread: the products are many and small."""

    @staticmethod
    def forward(ctx: Any, angles: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(angles, weight)
        with one_thread():
            matrices = _Matrices.of(weight, angles)
            batch = _Batch.of(angles, matrices)
            values = batch.values()
        ctx.found = matrices, batch  # but not the values, which hold this node
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        angles, weight = ctx.saved_tensors
        needed = ctx.needs_input_grad
        if torch.is_grad_enabled():  # create_graph=True
            return tuple(
                differentiable_gradients(_values(angles, weight), (angles, weight), needed, grad)
            )
        matrices, batch = ctx.found
        with one_thread():
            by_angles, by_pairs, by_levels = batch.pulled(matrices, grad)
            by_weight = matrices.pulled(by_pairs, by_levels) if needed[1] else None
        return by_angles, None if by_weight is None else by_weight.to(weight)


@dataclass(frozen=True)
class _Matrices:
    """What is made of the weights alone.

    Attributes:
        waves: e^{i · factors · angles} of both levels, ``(2, n)``.
        ring: What pairs are made of, twice ``(8, 2)``.
        level: Of the second level, before and between pairs, and the pooling, ``(3, 4, 4)``.
        rounds: The same for both pairs, in order of application, three times ``(16, 16)``.
        turns: What the first pooling's outcomes do to amplitudes, ``(16, 16, 1)``.
        pairs: What pairs of features are multiplied with, ``(4, 32)`` real numbers.
        levels: The second level for every outcome: amplitudes before and after, ``(16, 16, 16)``.
    """

    waves: Tensor
    ring: tuple[Tensor, Tensor]
    level: Tensor
    rounds: tuple[Tensor, Tensor, Tensor]
    turns: Tensor
    pairs: Tensor
    levels: Tensor

    @classmethod
    def of(cls, weight: Tensor, like: Tensor) -> _Matrices:
        """Of weights ``(22,)``, in the precision of other angles."""
        dtype = like.dtype.to_complex()
        # phases of any angles, as the engine's, are made in double precision
        wide = _tensors(torch.complex128, like.device)
        angles = weight.to(like.device, torch.complex128).view(2, ANGLES)
        waves = (angles @ wide["exponents"]).exp().to(dtype)
        turns = (angles[0, IF_ONE] * wide["turns"]).exp().to(dtype)
        made = (waves @ _tensors(dtype, like.device)["coefficients"]).view(10, 16)
        level = made[7:].view(3, 4, 4)
        one, other = made[:2].view(2, 8, 2).unbind(0)
        pairs = torch.view_as_real(one @ other.mT).view(4, 32)
        doubled = level[:, :, None, :, None] * level[:, None, :, None, :]
        before, between, pooled = doubled.view(3, 16, 16).unbind(0)
        rounds = before, _beside(between, BETWEEN), pooled
        levels = before @ rounds[1] @ pooled * turns
        return cls(waves, (one, other), level, rounds, turns, pairs, levels)

    def pulled(self, pairs: Tensor, levels: Tensor) -> Tensor:
        """The gradient by the weights, of that by :attr:`pairs` and the holomorphic by `levels`."""
        tables = _tensors(self.waves.dtype, self.waves.device)
        (one, other), (before, between, pooled) = self.ring, self.rounds
        by_pairs = torch.view_as_complex(pairs.view(8, 8, 2)).conj()
        inner = between @ pooled
        by_turns = (levels * (before @ inner)).sum(-1, keepdim=True)
        by_whole = (levels * self.turns).sum(0)
        by_inner = before.mT @ by_whole
        by_between = _beside(by_inner @ pooled.mT, BETWEEN_BACK)
        by_rounds = torch.stack([by_whole @ inner.mT, by_between, between.mT @ by_inner])
        made = one.new_zeros(10, 16)
        made[0], made[1] = (by_pairs @ other).view(16), (by_pairs.mT @ one).view(16)
        made[7:] = _halves(by_rounds.view(3, 4, 4, 4, 4), self.level).view(3, 16)
        by_waves = made.view(2, 80) @ tables["coefficients"].mT * self.waves
        by_weight = (by_waves @ tables["exponents"].mT).real.reshape(-1)
        by_weight[IF_ONE] += (self.turns * tables["turns"] * by_turns).sum().real
        return by_weight


def _halves(both: Tensor, level: Tensor) -> Tensor:
    """The derivative by matrices ``(3, 4, 4)``, of that by their products with themselves."""
    first = (both * level[:, None, :, None, :]).sum((2, 4))
    return first + (both * level[:, :, None, :, None]).sum((1, 3))


@dataclass(frozen=True)
class _Batch:
    """What is made of samples.

    Attributes:
        sums: Half sums and differences of neighbours' angles, ``(B, 16)``; of those that are for
            sines a quarter turn less.
        ring: Matrices of the ring, those of the even and of the odd pairs, ``(B, 2, 8, 2)`` and
            ``(B, 2, 2, 8)``: from a qubit to that of the next pair, with two that are complete.
        halves: The products of two, ``(B, 16, 4)`` and ``(B, 4, 16)``.
        states: ``(16, B, 16)``: outcomes, samples, amplitudes.
        left: States after the second level, likewise.
    """

    sums: Tensor
    ring: tuple[Tensor, Tensor]
    halves: tuple[Tensor, Tensor]
    states: Tensor
    left: Tensor

    @classmethod
    def of(cls, angles: Tensor, matrices: _Matrices) -> _Batch:
        """Of angles ``(B, 8)``."""
        tables = _tensors(angles.dtype, angles.device)
        sums = torch.addmm(tables["quarters"], angles, tables["sums"])
        pairs = torch.view_as_complex((sums.cos().view(-1, 4) @ matrices.pairs).view(-1, 16, 2))
        even, odd = pairs.view(-1, 2, 2, 16).unbind(2)
        even, odd = even.view(-1, 2, 8, 2), odd.view(-1, 2, 2, 8)
        one, other = (even @ odd).view(-1, *[2] * 7).unbind(1)
        halves = one.permute(ONE_HALF).reshape(-1, 16, 4), other.permute(OTHER).reshape(-1, 4, 16)
        ordered = (halves[0] @ halves[1]).view(-1, 4, 4, 4, 4).permute(1, 3, 0, 2, 4)
        states = ordered.reshape(16, -1, 16)
        return cls(sums, (even, odd), halves, states, states @ matrices.levels)

    def values(self) -> Tensor:
        """⟨Z⟩, ``(B, 2)``."""
        chances = torch.view_as_real(self.left).square().sum(0).flatten(1)
        return chances @ _tensors(self.sums.dtype, self.sums.device)["signs"]

    def pulled(self, matrices: _Matrices, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the gradient by the values becomes.

        Returns:
            Gradients by the angles and by the matrices' pairs; the holomorphic derivative by their
            levels. Derivatives by complex numbers are holomorphic ones in here, the conjugates of
            torch's: going back is then by transposed matrices, and nothing has to be conjugated.
        """
        tables, count = _tensors(grad.dtype, grad.device), len(grad)
        (even, odd), (one, other) = self.ring, self.halves
        weighed = (grad @ tables["slopes"]).view(count, 16, 2)
        by_left = torch.view_as_complex(torch.view_as_real(self.left) * weighed)
        by_levels = self.states.mT @ by_left
        by_states = (by_left @ matrices.levels.mT).view(4, 4, count, 4, 4)
        product = by_states.permute(2, 0, 3, 1, 4).reshape(count, 16, 16)
        by_one = (product @ other.mT).view(count, *[2] * 6).permute(ONE_HALF_BACK)
        by_other = (one.mT @ product).view(count, *[2] * 6).permute(OTHER_BACK)
        both = torch.stack([by_one, by_other], 1).view(count, 2, 8, 8)
        by_even, by_odd = both @ odd.mT, even.mT @ both
        ring = torch.stack([by_even.view(count, 2, 16), by_odd.view(count, 2, 16)], 2)
        by_pairs = torch.view_as_real(ring.conj().resolve_conj()).view(-1, 32)
        by_waves = (by_pairs @ matrices.pairs.mT).view(count, 16) * self.sums.sin()
        by_angles = by_waves @ (-tables["sums"].mT)
        return by_angles, self.sums.cos().view(-1, 4).mT @ by_pairs, by_levels


def _beside(matrix: Tensor, order: tuple[int, ...]) -> Tensor:
    """A matrix ``(16, 16)`` of four qubits, these in another order."""
    return matrix.view([2] * 8).permute(order).reshape(16, 16)


@cache
def _tensors(dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """The constants of a dtype on a device: those that are complex, or those that are not."""
    found = _complex_constants() if dtype.is_complex else _real_constants()
    with constants():
        return {name: torch.as_tensor(v, dtype=dtype, device=device) for name, v in found.items()}


@cache
def _real_constants() -> dict[str, Matrix]:
    sums, bits = np.zeros((QUBITS, 16)), np.array(list(product((0, 1), repeat=4)))
    for pair, (sign, wave) in product(range(4), product((1, -1), range(2))):
        column = 4 * pair + 2 * wave + (sign < 0)
        sums[2 * pair, column], sums[2 * pair + 1, column] = 0.5, sign * 0.5
    quarters = np.tile([0, 0, -math.pi / 2, -math.pi / 2], 4)
    # measured, kept, measured, kept; real and imaginary parts alike
    signs = np.repeat(1 - 2 * bits[:, 1::2], 2, axis=0)
    slopes = 2 * signs.T * np.tile([1, -1], 16)  # of conjugates
    return {"sums": sums, "quarters": quarters, "signs": signs, "slopes": slopes}


@cache
def _complex_constants() -> dict[str, Matrix]:
    convolution, on_x = _convolution(), np.kron(HADAMARD, HADAMARD)
    # the next gate's first qubit, on the X axis behind RZ: there what is decided is a phase
    opened = _product(convolution, _turn(ALWAYS, np.kron(Z, ONE)), _fixed(np.kron(HADAMARD, ONE)))
    started = _product(_fixed(OF_SUMS), convolution)
    pooling = _product(_turn(ALWAYS, np.kron(ONE, Z)), _turn_if_one(IF_ONE))
    before = _product(_fixed(on_x), convolution)
    parts = [
        _reshaped(started, 2, 3, 0, 1),  # from a pair's features to its qubits
        _reshaped(opened, 0, 1, 3, 2),  # to its qubits from this pair's second and that one's first
        *(_reshaped(part, 2, 3, 0, 1) for part in (before, convolution, pooling)),
    ]
    keys = sorted(set().union(*parts))
    none = np.zeros(16)
    coefficients = [np.concatenate([part.get(key, none).ravel() for part in parts]) for key in keys]
    return {
        "exponents": 1j * np.array(keys).T,
        "coefficients": np.array(coefficients),
        "turns": _turns(),
    }


def _turns() -> Matrix:
    """What the angle of the first pooling is multiplied with, by outcomes and amplitudes."""
    found = np.zeros((16, 16, 1), complex)
    for place, bits in zip(np.ndindex(16, 16), product((0, 1), repeat=8), strict=True):
        measured, kept = (bits[3], *bits[:3]), bits[4:]
        power = sum(m * (1 - 2 * k) for m, k in zip(measured, kept, strict=True))
        found[*place, 0] = -0.5j * power
    return found


def _convolution() -> Waves:
    gates = [
        _turn(3 * place + axis, np.kron(string, ONE) if place == 0 else np.kron(ONE, string))
        for place, (axis, string) in product(range(2), enumerate((Z, Y, Z)))
    ]
    gates += [_turn(6 + axis, np.kron(string, string)) for axis, string in enumerate((X, Y, Z))]
    return _product(*gates)


def _fixed(matrix: Matrix) -> Waves:
    return {(0.0,) * ANGLES: matrix}


def _turn(angle: int, string: Matrix) -> Waves:
    """exp(-iθP/2)."""
    one = np.eye(4)
    return {_only(angle, -0.5): (one + string) / 2, _only(angle, 0.5): (one - string) / 2}


def _turn_if_one(angle: int) -> Waves:
    """RX of the second qubit where the first one is 1."""
    decided = np.kron((ONE - Z) / 2, ONE)
    turned = {key: decided @ value for key, value in _turn(angle, np.kron(ONE, X)).items()}
    return turned | _fixed(np.eye(4) - decided)


def _reshaped(waves: Waves, *axes: int) -> Waves:
    """The same matrices, each as two by two qubits, in another order of these."""
    return {key: value.reshape(2, 2, 2, 2).transpose(axes) for key, value in waves.items()}


def _only(angle: int, factor: float) -> tuple[float, ...]:
    return tuple(factor * (place == angle) for place in range(ANGLES))


def _product(*gates: Waves) -> Waves:
    """Gates in order of application, multiplied out."""
    return reduce(_then, gates)


def _then(first: Waves, second: Waves) -> Waves:
    found: Waves = {}
    for (one, a), (other, b) in product(first.items(), second.items()):
        key = tuple(x + y for x, y in zip(one, other, strict=True))
        found[key] = found.get(key, 0) + b @ a
    return {key: value for key, value in found.items() if np.abs(value).max() > 1e-12}
