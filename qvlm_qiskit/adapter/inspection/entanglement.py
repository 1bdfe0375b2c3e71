r"""Artificial entanglement: a matrix as the state of qubits, and the entropy of every cut.

The entries of a matrix, row by row and divided by its Frobenius norm, are the amplitudes of a state
whose first qubits are the bits of the row and whose others are those of the column, the most
significant first; sizes that are no power of two are padded with zeros. The entropy of a cut says
how entangled the bits before it are with those behind. [Artificial entanglement in fine-tuning,
arXiv:2601.06788.]

What to expect: at the cut between rows and columns the Schmidt rank is the rank of the matrix, so
that an update of rank r has an entropy of at most log₂ r there, whatever it learned. A valley at
that cut is LoRA's rank. This is why every profile here has a control: a product of random factors
of the same rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qvlm_qiskit.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class EntropyProfile:
    """The entropies of one matrix.

    Attributes:
        name: Of the layer, or of the attention head.
        shape: Of the matrix, before it was padded.
        row_bits: Qubits of the row.
        column_bits: Qubits of the column.
        rank: Of the matrix, to the precision of its own numbers.
        entropies: In bits, of the cuts behind qubit 1, 2, …; ``entropies[row_bits - 1]`` is the one
            between rows and columns, where there are both.
        control: The same of random factors of this rank; of a random matrix if it is full.
    """

    name: str
    shape: tuple[int, int]
    row_bits: int
    column_bits: int
    rank: int
    entropies: tuple[float, ...]
    control: tuple[float, ...]

    @property
    def padded(self) -> bool:
        """Whether zeros were added to make the sizes powers of two."""
        return self.shape != (2**self.row_bits, 2**self.column_bits)

    @property
    def bound(self) -> float:
        """log₂ of the rank: no entropy between rows and columns is larger."""
        return math.log2(self.rank)


def cut_entropies(matrix: Tensor) -> tuple[float, ...]:
    """Entropies of all cuts of a matrix's row and column bits.

    Args:
        matrix: ``(rows, columns)``, real.

    Returns:
        In bits; one fewer than there are qubits.

    Raises:
        InputError: Not a matrix, not finite, or zero.
    """
    state = _state(matrix)
    bits = (state.numel() - 1).bit_length()
    return tuple(_entropy(state.reshape(2**cut, -1)) for cut in range(1, bits))


def profile_of(matrix: Tensor, name: str = "", seed: int = 0) -> EntropyProfile:
    """The entropies of a matrix, beside those of random factors of its rank.

    Args:
        matrix: ``(rows, columns)``, real.
        name: What it is called.
        seed: Of the random factors.

    Raises:
        InputError: Not a matrix, not finite, or zero.
    """
    entropies = cut_entropies(matrix)
    rows, columns = matrix.shape
    rank = _rank(matrix.detach().cpu())
    control = cut_entropies(_random(rows, columns, rank, seed))
    return EntropyProfile(
        name, (rows, columns), _bits(rows), _bits(columns), rank, entropies, control
    )


def update_profiles(
    model: nn.Module, adapter: str = "default", seed: int = 0
) -> list[EntropyProfile]:
    """The entropies of ΔW of every tuned layer.

    Args:
        model: Of peft, with an adapter that has a ΔW: LoRA, and all of ours but quantum_lora.
        adapter: Its name.
        seed: Of the controls.

    Raises:
        UnknownNameError: No layer has such an adapter.
        InputError: A ΔW is zero, as before training, or there is none.
    """
    tuned = {n: m for n, m in model.named_modules() if hasattr(m, "get_delta_weight")}
    there = {n: m for n, m in tuned.items() if adapter in m._get_available_adapters()}  # noqa: SLF001
    if not there:
        known = {a for m in tuned.values() for a in m._get_available_adapters()}  # noqa: SLF001
        raise UnknownNameError("adapter", adapter, sorted(known))
    found = []
    for name, layer in there.items():
        try:
            found.append(profile_of(layer.get_delta_weight(adapter).detach(), name, seed))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    return found


def attention_profiles(attentions: Sequence[Tensor], seed: int = 0) -> list[EntropyProfile]:
    """The entropies of attention matrices.

    Args:
        attentions: What transformers returns with ``output_attentions=True``: one tensor
            ``(B, heads, T, T)`` per layer, of which the first sample is taken.
        seed: Of the controls.

    Raises:
        InputError: Tensors of other shapes.
    """
    for layer in attentions:
        if layer.ndim != 4:
            raise InputError(f"attentions are (B, heads, T, T), got {tuple(layer.shape)}")
    return [
        profile_of(matrix, f"layer {number}, head {head}", seed)
        for number, layer in enumerate(attentions)
        for head, matrix in enumerate(layer[0])
    ]


def _random(rows: int, columns: int, rank: int, seed: int) -> Tensor:
    """A product of random factors, or a random matrix where the rank is full.

    A product of two square ones has less entropy than one, though both have the same rank.
    """
    generator = torch.Generator().manual_seed(seed)
    if rank == min(rows, columns):
        return torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    left = torch.randn(rows, rank, generator=generator, dtype=torch.float64)
    return left @ torch.randn(rank, columns, generator=generator, dtype=torch.float64)


def _rank(matrix: Tensor) -> int:
    """How many singular values are more than what rounding in the matrix's own precision leaves.

    Independent errors of standard deviation σ have singular values up to σ (√rows + √columns).
    """
    rows, columns = matrix.shape
    wide = matrix.double()
    error = 2 * torch.finfo(matrix.dtype).eps * wide.norm() / math.sqrt(rows * columns)
    largest = float(error) * (math.sqrt(rows) + math.sqrt(columns))
    own = max(rows, columns) * torch.finfo(torch.float64).eps  # of the decomposition
    return max(1, int(torch.linalg.matrix_rank(wide, atol=largest, rtol=own)))


def _bits(size: int) -> int:
    return (size - 1).bit_length()


def _state(matrix: Tensor) -> Tensor:
    """Amplitudes ``(2**rows, 2**columns)`` of unit norm, in double precision."""
    if matrix.ndim != 2 or not matrix.numel() or matrix.is_complex():
        raise InputError(f"expected a real matrix, got {matrix.dtype} {tuple(matrix.shape)}")
    wide = matrix.detach().cpu().double()
    largest = wide.abs().max()
    if not torch.isfinite(largest) or largest == 0:
        said = "zero" if largest == 0 else "not finite"
        raise InputError(f"a matrix that is {said} is no state: its entropy has no value")
    rows, columns = wide.shape
    grown = (0, 2 ** _bits(columns) - columns, 0, 2 ** _bits(rows) - rows)
    state = nn.functional.pad(wide / largest, grown)
    unit: Tensor = state / state.norm()
    return unit


def _entropy(cut: Tensor) -> float:
    """Von Neumann entropy of one side of a cut, in bits."""
    weights = torch.linalg.svdvals(cut).square()
    weights = weights[weights > 0] / weights.sum()
    return max(0.0, float(-(weights * weights.log2()).sum()))
