r"""Transformed LoRA: the weight is transformed by a train of small tensors, and LoRA is added.

:math:`W' = W T + s B A`, where T (:math:`d_{in} \times d_{in}`) is a tensor train that begins at
the identity, B begins at zero, and A is drawn as in LoRA. With ``bond=1`` T is a Kronecker product
of small matrices. T has full rank, so that ΔW = W (T - 1) + s B A is not bound to the rank r. [Tao
et al., Transformed Low-rank Adaptation, arXiv:2501.08727, where T is a tensor ring and the residual
is a low-rank tensor; here they are a train, without the bond from the last to the first, and a
low-rank matrix.]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from qvlm_qiskit.adapter.inspection.tensor_trains import (
    factors_of,
    matrix_of,
    times_train,
)
from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.layer import TunerLinear
from qvlm_qiskit.adapter.tuners.model import TunerModel
from qvlm_qiskit.adapter.tuners.registration import TunerType, register
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.basics.numbers import check_whole


@dataclass
class TransformedLoraConfig(TunerConfig):
    """A transform near the identity, and LoRA.

    Attributes:
        r: Rank of the residual.
        cores: Tensors in the train.
        bond: Of the train.
        scaling: s of the residual.
    """

    r: int = 4
    cores: int = 3
    bond: int = 1
    scaling: float = 1.0

    tuner: ClassVar[TunerType] = TunerType.TRANSFORMED_LORA

    def __post_init__(self) -> None:
        """Refuse numbers that are none.

        Raises:
            InputError: No positive whole numbers.
        """
        super().__post_init__()
        for name in ("r", "cores", "bond"):
            check_whole(name, getattr(self, name))

    def build(self, in_features: int, out_features: int) -> TransformUpdate:
        """The update of a linear layer."""
        return TransformUpdate(self, in_features, out_features)


class TransformUpdate(Update):
    """T and the residual of one layer.

    Attributes:
        cores: Of T, ``(b, n, n, c)`` each.
        lora_in: A, ``(r, in)``.
        lora_out: B, ``(out, r)``.
    """

    def __init__(self, config: TransformedLoraConfig, in_features: int, out_features: int) -> None:
        """Begin at T = 1 and B = 0."""
        super().__init__()
        self.scaling = config.scaling
        sizes = factors_of(in_features, config.cores)
        self.cores = nn.ParameterList(_identity_train(sizes, config.bond))
        self.lora_in = nn.Parameter(torch.empty(config.r, in_features))
        nn.init.kaiming_uniform_(self.lora_in, a=math.sqrt(5))
        self.lora_out = nn.Parameter(torch.zeros(out_features, config.r))

    def shift(self, values: Tensor) -> Tensor:
        """T x - x, ``(…, in)``."""
        return times_train(list(self.cores), values) - values

    def forward(self, values: Tensor) -> Tensor:
        """The residual s B A x, ``(…, in)`` → ``(…, out)``."""
        return self.scaling * (values @ self.lora_in.T @ self.lora_out.T)

    def delta(self, weight: Tensor) -> Tensor:
        """W T - W + s B A, ``(out, in)``."""
        transform = matrix_of(list(self.cores)).to(weight.dtype)
        residual = self.scaling * (self.lora_out @ self.lora_in).to(weight.dtype)
        return weight @ transform - weight + residual


def _identity_train(sizes: tuple[int, ...], bond: int) -> list[Tensor]:
    """A train that is the identity, though not all of what goes through further bonds is zero.

    Were it, neither side of a bond would have a gradient: each is multiplied by the other. So one
    side of every bond is drawn, and the other is zero.
    """
    bonds = [1, *[bond] * (len(sizes) - 1), 1]
    cores = []
    for size, before, behind in zip(sizes, bonds[:-1], bonds[1:], strict=True):
        core = torch.zeros(before, size, size, behind)
        core[0, :, :, 1:] = torch.randn(size, size, behind - 1) / size
        core[0, :, :, 0] = torch.eye(size)
        cores.append(core)
    return cores


class TransformedLoraLinear(TunerLinear):
    """A linear layer with a transform before it and LoRA beside it."""

    adapter_layer_names = ("transformed_lora_update",)


class TransformedLoraModel(TunerModel):
    """A model tuned by :class:`TransformedLoraConfig`."""

    prefix = "transformed_lora_"
    tuner_layer_cls = TransformedLoraLinear


register(TransformedLoraModel, TransformedLoraConfig)
