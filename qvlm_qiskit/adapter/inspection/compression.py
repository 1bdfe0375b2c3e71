r"""Linear layers as matrix-product operators of a chosen bond, after CompactifAI.

A weight is split by successive singular value decompositions and every cut keeps its largest χ
singular values. At full bond it is the same layer, with more parameters; below, it is smaller and
wrong by what was cut off, and a few training steps ("healing") make up for part of it. [Tomut et
al., CompactifAI, arXiv:2401.14109.]
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from qvlm_qiskit.adapter.inspection.tensor_trains import (
    factors_of,
    matrix_of,
    times_train,
    train_of,
)
from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.errors import InputError, UnknownNameError


class MatrixProductLinear(nn.Module):
    """A linear layer whose weight is a train of trained tensors.

    Attributes:
        in_features: Inputs.
        out_features: Outputs.
        cores: The tensors, ``(b, o, i, c)`` each.
        bias: ``(out,)``, or None.
    """

    def __init__(self, cores: list[Tensor], bias: Tensor | None = None) -> None:
        """Take a train.

        Args:
            cores: As `train_of` returns them.
            bias: ``(out,)``.
        """
        super().__init__()
        self.cores = nn.ParameterList(core.contiguous() for core in cores)
        self.out_features = math.prod(core.shape[1] for core in cores)
        self.in_features = math.prod(core.shape[2] for core in cores)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    @property
    def weight(self) -> Tensor:
        """The matrix ``(out, in)``, made anew each time."""
        return matrix_of(list(self.cores))

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``, by the train or by its matrix: what costs less."""
        result = times_train(list(self.cores), values)
        return result if self.bias is None else result + self.bias


@dataclass(frozen=True)
class CompressedLayer:
    """What became of one layer.

    Attributes:
        name: In the model.
        bonds: Between the tensors.
        before: Parameters of the layer as it was, its bias included.
        after: Parameters of the train, its bias included.
        error: Frobenius norm of what is missing, relative to the weight's.
    """

    name: str
    bonds: tuple[int, ...]
    before: int
    after: int
    error: float


def compress(
    model: nn.Module, targets: Iterable[str], bond: int | None, cores: int = 3
) -> list[CompressedLayer]:
    """Replace linear layers of a model by matrix-product operators, in place.

    Args:
        model: Any, with Linear layers or GPT-2's Conv1D.
        targets: Names, or ends of names, of linear layers.
        bond: Most singular values that every cut keeps, χ; None for all.
        cores: Tensors per layer.

    Returns:
        One entry for each layer that was replaced.

    Raises:
        UnknownNameError: A target is in no linear layer's name; nothing is changed then.
        InputError: Another bond or number of cores, or weights that are quantised or not finite.
    """
    check_whole("cores", cores)
    chosen = linear_layers(model, targets)
    made = {name: _replacement(module, bond, cores) for name, module in chosen.items()}
    found = []
    for name, module in chosen.items():
        above, _, last = name.rpartition(".")
        setattr(model.get_submodule(above), last, made[name])
        found.append(_report(name, module, made[name]))
    return found


def linear_layers(model: nn.Module, targets: Iterable[str]) -> dict[str, nn.Module]:
    """The layers that `compress` would replace, by their names.

    Args:
        model: Any, with Linear layers or GPT-2's Conv1D.
        targets: Names, or ends of names, of linear layers.

    Raises:
        UnknownNameError: A target is in no linear layer's name.
    """
    there = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D) and n}
    found: dict[str, nn.Module] = {}
    for target in targets:
        named = {n: m for n, m in there.items() if n == target or n.endswith(f".{target}")}
        if not named:
            known = sorted({name.rpartition(".")[2] for name in there})
            raise UnknownNameError("linear layer", target, known)
        found.update(named)
    return found


def _weight(module: nn.Module) -> Tensor:
    """``(out, in)``."""
    weight: Tensor = module.weight.detach()  # type: ignore[union-attr, operator, assignment]
    if not weight.is_floating_point():
        raise InputError(f"the weight of a {type(module).__name__} is quantised: it can't be split")
    return weight.T if isinstance(module, Conv1D) else weight


def _replacement(module: nn.Module, bond: int | None, cores: int) -> MatrixProductLinear:
    weight = _weight(module)
    out_factors, in_factors = (factors_of(size, cores) for size in weight.shape)
    train = train_of(weight, out_factors, in_factors, bond)
    return MatrixProductLinear(train, module.bias).train(module.training)  # type: ignore[arg-type]


def _report(name: str, before: nn.Module, after: MatrixProductLinear) -> CompressedLayer:
    weight = _weight(before).double()
    with torch.no_grad():
        missing = (after.weight.double() - weight).norm() / weight.norm()
    return CompressedLayer(
        name,
        tuple(core.shape[-1] for core in list(after.cores)[:-1]),
        sum(p.numel() for p in before.parameters()),
        sum(p.numel() for p in after.parameters()),
        float(missing),
    )
