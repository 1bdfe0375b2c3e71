r"""TeRA: a random tensor whose factors are scaled by trained vectors.

ΔW, seen as a tensor with an axis for each factor of :math:`d_{out}` and of :math:`d_{in}`, is
:math:`s\, G \times_1 (A_1 \mathrm{diag}\, d_1) \times_2 (A_2 \mathrm{diag}\, d_2) \dots`: a core G
and matrices A_k that are drawn, never trained, and the same in every layer of the same sizes, and
trained vectors d_k. The first vector begins at zero, the others at one. ΔW can have full rank with
:math:`\sum_k |d_k|` parameters. [Gu et al., TeRA: Vector-based Random Tensor Network for High-Rank
Adaptation of Large Language Models. The spread of what is drawn and the ones are ours.]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from qvlm_qiskit.adapter.inspection.tensor_trains import (
    PRODUCT,
    apply_train,
    factors_of,
    matrix_of,
    multiplications,
)
from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.layer import TunerLinear
from qvlm_qiskit.adapter.tuners.model import TunerModel
from qvlm_qiskit.adapter.tuners.registration import TunerType, register
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.basics.numbers import check_whole


@dataclass
class TeraConfig(TunerConfig):
    """Trained scales of a random tensor.

    Attributes:
        axes: Into how many factors the inputs and the outputs are split, each.
        core: Size of the core along each axis; less where the axis is shorter.
        scaling: s.
        seed: What is random is drawn from it, and not in files: another seed is another tuner.
    """

    axes: int = 2
    core: int = 8
    scaling: float = 1.0
    seed: int = 0

    tuner: ClassVar[TunerType] = TunerType.TERA

    def __post_init__(self) -> None:
        """Refuse numbers that are none.

        Raises:
            InputError: No positive whole numbers, or a negative seed.
        """
        super().__post_init__()
        for name, least in (("axes", 1), ("core", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least)

    def build(self, in_features: int, out_features: int) -> TeraUpdate:
        """The update of a linear layer."""
        return TeraUpdate(self, in_features, out_features)


class TeraUpdate(Update):
    """The vectors of one layer.

    Attributes:
        scales: One vector for each axis: of the outputs, then of the inputs.
    """

    def __init__(self, config: TeraConfig, in_features: int, out_features: int) -> None:
        """Begin at zero for the first vector, at one for the others."""
        super().__init__()
        self.scaling, self.seed = config.scaling, config.seed
        self.out_axes = factors_of(out_features, config.axes)
        self.in_axes = factors_of(in_features, config.axes)
        self.ranks = tuple(min(config.core, n) for n in self.out_axes + self.in_axes)
        starts = [0.0] + [1.0] * (len(self.ranks) - 1)
        self.scales = nn.ParameterList(
            torch.full((rank,), start) for rank, start in zip(self.ranks, starts, strict=True)
        )

    def _factors(self) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The core as a matrix, and trains of the scaled matrices of outputs and of inputs."""
        given = self.scales[0]
        core, drawn = random_tensors(
            self.seed, self.out_axes + self.in_axes, self.ranks, given.device, given.dtype
        )
        scaled = [a * d for a, d in zip(drawn, self.scales, strict=True)]
        count = len(self.out_axes)
        outs = [a[None, :, :, None] for a in scaled[:count]]
        ins = [a.T[None, :, :, None] for a in scaled[count:]]
        return core.reshape(math.prod(self.ranks[:count]), -1), outs, ins

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``, by the factors or by ΔW: what costs less."""
        core, outs, ins = self._factors()
        inner, outer = multiplications(ins), multiplications(outs)
        wide, high = math.prod(self.in_axes), math.prod(self.out_axes)
        made = inner[1] + outer[1] + wide * (core.numel() + high * len(core))
        count = values.numel() // wide
        if count * (PRODUCT * (inner[0] + outer[0]) + core.numel()) > made + count * wide * high:
            return nn.functional.linear(values, self.delta(values))
        return self.scaling * apply_train(outs, apply_train(ins, values) @ core.T)

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW ``(out, in)``."""
        core, outs, ins = self._factors()
        return (self.scaling * matrix_of(outs) @ core @ matrix_of(ins)).to(weight.dtype)


@lru_cache(maxsize=64)
def random_tensors(
    seed: int,
    axes: tuple[int, ...],
    ranks: tuple[int, ...],
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The core and the matrices of all layers of the same sizes.

    Entries are normal; their variance is the inverse of the root of the core's rank over each axis,
    so that ΔW's entries are of order one over the root of the inputs.

    Args:
        seed: Of NumPy's generator PCG64.
        axes: Sizes of ΔW as a tensor.
        ranks: Sizes of the core.
        device: Where they are needed.
        dtype: Their type.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    count = len(axes) // 2
    spread = math.prod(axes[count:]) ** -0.5
    drawn = [generator.standard_normal(ranks) * spread]
    drawn += [generator.standard_normal((n, r)) / r**0.5 for n, r in zip(axes, ranks, strict=True)]
    with torch.inference_mode(False):  # what is kept has to serve a training later, too
        core, *matrices = (torch.from_numpy(a).to(device, dtype) for a in drawn)
    return core, tuple(matrices)


class TeraLinear(TunerLinear):
    """A linear layer with a scaled random tensor beside it."""

    adapter_layer_names = ("tera_update",)


class TeraModel(TunerModel):
    """A model tuned by :class:`TeraConfig`."""

    prefix = "tera_"
    tuner_layer_cls = TeraLinear


register(TeraModel, TeraConfig)
