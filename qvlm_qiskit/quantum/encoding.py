r"""Features to circuit angles and back, differentiably: amplitude encoding as a tree of RY gates.

A real unit vector of :math:`2^n` amplitudes is written onto :math:`|0\rangle^{\otimes n}` by one
uniformly controlled RY per qubit, most significant qubit first (Möttönen et al.,
arXiv:quant-ph/0407010). A uniformly controlled RY with *k* controls is itself :math:`2^k` plain RY
gates between CX gates that follow the Gray code; the angles of those plain gates,
:math:`2^n - 1` in all, are the circuit's inputs. Two angle vectors therefore exist:

- *branch angles* :math:`\alpha_{k,c}`: how the weight of the branch *c* (the value of the *k* top
  qubits) is divided between the two halves below it;
- *gate angles* :math:`\theta_{k,i} = 2^{-k} \sum_c (-1)^{c \cdot g(i)} \alpha_{k,c}` with the Gray
  code :math:`g(i)`: what the RY gates carry.

Both are stored level by level, level *k* at the offset :math:`2^k - 1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from qiskit.circuit import Gate, ParameterExpression, QuantumCircuit
from torch import Tensor

from qvlm_qiskit.quantum.outcomes import walsh
from qvlm_qiskit.quantum.torch_support.transforms import constants

Angle: TypeAlias = "float | ParameterExpression"
"""What a rotation gate takes: radians, or an expression of circuit parameters."""


class AmplitudeEncoding(Gate):  # type: ignore[misc]
    """Writes a real unit vector of 2ⁿ amplitudes onto |0…0⟩ with a Möttönen tree of RY gates.

    The 2ⁿ - 1 parameters are the *gate angles* (:func:`amplitude_angles` makes them). Its
    definition has 2ⁿ - 1 RY and 2ⁿ - 2 CX gates. Our engine recognises the gate by its class and
    writes the amplitudes directly; every other estimator runs the definition.
    """

    def __init__(self, angles: Sequence[Angle], label: str | None = None) -> None:
        """Create the gate.

        Args:
            angles: 2ⁿ - 1 gate angles in radians.
            label: Shown by circuit drawers.

        Raises:
            ValueError: The number of angles is not 2ⁿ - 1 with n ≥ 1.
        """
        num_qubits = (len(angles) + 1).bit_length() - 1
        if num_qubits < 1 or len(angles) != 2**num_qubits - 1:
            raise ValueError(f"amplitude encoding takes 2**n - 1 angles, got {len(angles)}")
        super().__init__("amplitude_encoding", num_qubits, list(angles), label=label)

    def _define(self) -> None:
        n = self.num_qubits
        circuit = QuantumCircuit(n, name=self.name)
        offset = 0
        for level in range(n):
            target = n - 1 - level
            for i in range(2**level):
                circuit.ry(self.params[offset + i], target)
                if level:
                    # bit j of the control value is qubit target + 1 + j
                    bit = min(_trailing_zeros(i + 1), level - 1)
                    circuit.cx(target + 1 + bit, target)
            offset += 2**level
        self.definition = circuit


def _trailing_zeros(value: int) -> int:
    return (value & -value).bit_length() - 1


def amplitude_angles(features: Tensor) -> Tensor:
    """Turn real feature vectors into the gate angles of :class:`.AmplitudeEncoding`.

    The vectors are L2-normalised by the construction itself: only their direction is encoded.
    The gradient is zero where a whole branch of the tree is zero.

    Args:
        features: ``(…, 2**n)``, of any scale; an all-zero vector encodes the basis state 0.

    Returns:
        Gate angles in radians, ``(…, 2**n - 1)``, of the features' dtype.

    Raises:
        ValueError: The last dimension is not a power of two of at least 2.
    """
    size = features.shape[-1]
    if size < 2 or size & (size - 1):
        raise ValueError(f"amplitude encoding needs 2**n features with n ≥ 1, got {size}")
    wide = of_order_one(widened(features))
    return _gate_angles(_branch_angles(wide)).to(features.dtype)


def unit_vectors(features: Tensor) -> Tensor:
    """The amplitudes that :func:`amplitude_angles` encodes: features of norm 1, ``(…, 2**n)``.

    An all-zero vector becomes the basis state 0, and gets no gradient.
    """
    dtype = features.dtype
    features = of_order_one(widened(features))
    norm = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    empty = norm == 0
    first = torch.zeros_like(features)
    first[..., :1].fill_(1)
    units = torch.where(empty, first, features / torch.where(empty, torch.ones_like(norm), norm))
    return units.to(dtype)


def amplitudes_from_angles(angles: Tensor) -> Tensor:
    """The amplitudes that :class:`.AmplitudeEncoding` prepares from its gate angles.

    Args:
        angles: Gate angles in radians, ``(…, 2**n - 1)``.

    Returns:
        Real amplitudes of unit norm in Qiskit's (little-endian) index order, ``(…, 2**n)``.
    """
    amplitudes = torch.ones_like(angles[..., :1])
    offset, level = 0, 0
    while offset < angles.shape[-1]:
        half = _walsh_from_gray(angles[..., offset : offset + 2**level]) / 2
        pair = torch.stack((amplitudes * torch.cos(half), amplitudes * torch.sin(half)), dim=-1)
        amplitudes = pair.flatten(-2)
        offset, level = offset + 2**level, level + 1
    return amplitudes


def shortest_scale(dtype: torch.dtype) -> float:
    """Vectors with a smaller largest entry have the gradient of one of this scale.

    It is about 1/scale, and what is added to and multiplied with it must not overflow either.
    """
    return torch.finfo(dtype).smallest_normal * 2.0**20


def of_order_one(features: Tensor) -> Tensor:
    """The same direction with a largest entry of 1, so that no square over- or underflows.

    What follows does not depend on the scale, so the factor needs no gradient of its own. Behind
    vectors so short that a gradient would overflow, it is that of a longer one. Entries too small
    to be seen beside the largest one count as zero.

    Args:
        features: ``(…, n)`` of any scale, float32 or float64.
    """
    tiny: float = torch.finfo(features.dtype).smallest_normal
    largest = features.detach().abs().amax(dim=-1, keepdim=True)
    shortest = shortest_scale(features.dtype)
    short = largest < shortest
    scaled = features / torch.where(short, shortest, largest)
    exact = features.detach() / torch.where(largest == 0, torch.ones_like(largest), largest)
    scaled = torch.where(short, exact + (scaled - scaled.detach()), scaled)
    unseen = torch.where(scaled.abs() < tiny**0.25, scaled, torch.zeros_like(scaled))
    return scaled - unseen.detach()


def widened(features: Tensor) -> Tensor:
    """Features in at least single precision, in which lengths and angles can be computed.

    Back in half precision a gradient beyond its largest number is that number.
    """
    if features.dtype.itemsize >= 4:
        return features
    wide: Tensor = _Widened.apply(features)  # type: ignore[no-untyped-call]
    return wide


class _Widened(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(features: Tensor) -> Tensor:
        return features.float()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        largest = torch.finfo(ctx.dtype).max
        return grad.clamp(-largest, largest).to(ctx.dtype)


def _branch_angles(features: Tensor) -> list[Tensor]:
    """Branch angles of every level, top level first: ``(…, 2**k)`` for level k."""
    levels: list[Tensor] = []
    weights = features
    while weights.shape[-1] > 1:
        left, right = weights[..., 0::2], weights[..., 1::2]
        empty = (left == 0) & (right == 0)
        # atan2 and sqrt have no gradient at the origin; an empty branch gets the constant angle 0
        left = torch.where(empty, torch.ones_like(left), left)
        right = torch.where(empty, torch.zeros_like(right), right)
        levels.append(2 * torch.atan2(right, left))
        norm = torch.sqrt(left * left + right * right)
        weights = torch.where(empty, torch.zeros_like(norm), norm)
    return levels[::-1]


def _gate_angles(levels: list[Tensor]) -> Tensor:
    gates = []
    for level, alpha in enumerate(levels):
        gray, _ = _gray_order(level, alpha.device)
        gates.append(walsh(alpha)[..., gray] / 2**level)
    return torch.cat(gates, dim=-1)


def _walsh_from_gray(theta: Tensor) -> Tensor:
    """Branch angles of one level from its gate angles."""
    _, inverse = _gray_order(theta.shape[-1].bit_length() - 1, theta.device)
    return walsh(theta[..., inverse])


@lru_cache(maxsize=64)
def _gray_order(level: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The Gray code of 0 … 2**level - 1 and its inverse permutation."""
    with constants():
        index = torch.arange(2**level)
        gray = index ^ (index >> 1)
        return gray.to(device), torch.argsort(gray).to(device)
