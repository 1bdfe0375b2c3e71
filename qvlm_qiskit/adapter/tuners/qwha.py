r"""QWHA: a sparse matrix of Walsh–Hadamard coefficients.

:math:`\Delta W = \tfrac{s}{\sqrt{d_{out}}}\, C\, H / N`, where H is the Walsh–Hadamard matrix of ±1
of size N, :math:`d_{in}` rounded up to a power of two, and C has p trained coefficients at places
that stay where they are; they begin at zero. H is :math:`\sqrt N` times a Hadamard gate on each of
log₂ N qubits. [Jeon et al., QWHA, arXiv:2509.17428. There places and values are fitted to the
error of a quantised model, channel by channel; here places are drawn, as in FourierFT, and values
begin at zero, unless :meth:`WalshUpdate.fit` takes the largest coefficients of a whole layer.
Widths that are no power of two are padded with zeros, where the source takes other Hadamard
matrices.]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from qvlm_qiskit.adapter.inspection.tensor_trains import apply_train
from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.layer import TunerLinear
from qvlm_qiskit.adapter.tuners.model import TunerModel
from qvlm_qiskit.adapter.tuners.registration import TunerType, register
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.outcomes import walsh


@dataclass
class QWHAConfig(TunerConfig):
    """Trained Walsh–Hadamard coefficients.

    Attributes:
        coefficients: p, for each layer.
        scaling: s.
        seed: The places are drawn from it.
    """

    coefficients: int = 512
    scaling: float = 150.0
    seed: int = 0

    tuner: ClassVar[TunerType] = TunerType.QWHA

    def __post_init__(self) -> None:
        """Refuse numbers that are none.

        Raises:
            InputError: No positive whole number of coefficients, or a negative seed.
        """
        super().__post_init__()
        check_whole("coefficients", self.coefficients)
        check_whole("seed", self.seed, 0)

    def build(self, in_features: int, out_features: int) -> WalshUpdate:
        """The update of a linear layer."""
        return WalshUpdate(self, in_features, out_features)


class WalshUpdate(Update):
    """Sparse Walsh–Hadamard coefficients of one layer.

    Attributes:
        values: The p coefficients.
        places: Row · N + column of each; kept in files, so that no generator of random numbers has
            to be the same where they are opened.
    """

    places: Tensor

    def __init__(self, config: QWHAConfig, in_features: int, out_features: int) -> None:
        """Draw places.

        Raises:
            InputError: More coefficients than the layer has.
        """
        super().__init__()
        self.size = 1 << (in_features - 1).bit_length()
        self.in_features, self.out_features = in_features, out_features
        there, wanted = self.size * out_features, config.coefficients
        if wanted > there:
            raise InputError(
                f"coefficients={wanted} are more than the {there} of a layer of {in_features} "
                f"inputs and {out_features} outputs"
            )
        drawn = np.random.default_rng(config.seed).choice(there, wanted, replace=False)
        self.register_buffer("places", torch.from_numpy(np.sort(drawn)))
        self.factor: float = config.scaling / (out_features**0.5 * self.size)
        self.values = nn.Parameter(torch.zeros(wanted))

    def coefficients(self) -> Tensor:
        """C, ``(out, N)``."""
        sparse = self.values.new_zeros(self.out_features * self.size)
        return sparse.index_put((self.places,), self.values).view(self.out_features, self.size)

    @torch.no_grad()
    def fit(self, target: Tensor) -> None:
        """Begin at the p largest coefficients of a matrix, such as a weight minus its quantisation.

        If the inputs are a power of two, no other p coefficients are nearer to it.

        Args:
            target: ``(out, in)``.

        Raises:
            InputError: Of another shape, or not finite.
        """
        wanted = (self.out_features, self.in_features)
        if tuple(target.shape) != wanted or not torch.isfinite(target).all():
            raise InputError(f"fit takes a finite matrix {wanted}, got {tuple(target.shape)}")
        padded = nn.functional.pad(target.to(self.values), (0, self.size - self.in_features))
        whole = transformed(padded).flatten() / (self.size * self.factor)
        chosen = whole.abs().topk(len(self.places)).indices.sort().values
        self.places.copy_(chosen)
        self.values.copy_(whole[chosen])

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``; inputs or coefficients are transformed, the fewer rows."""
        if values.numel() > self.in_features * self.out_features:
            return nn.functional.linear(values, self.delta(values))
        padded = nn.functional.pad(values, (0, self.size - self.in_features))
        return self.factor * nn.functional.linear(transformed(padded), self.coefficients())

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW ``(out, in)``."""
        whole = self.factor * transformed(self.coefficients())
        return whole[:, : self.in_features].to(weight.dtype)


def transformed(rows: Tensor) -> Tensor:
    """Rows times the Walsh–Hadamard matrix of ±1.

    It is a Kronecker product of smaller ones, of up to 32 rows; two or three products with those
    take half the time of a butterfly in torch's operations.

    Args:
        rows: ``(…, N)``, N a power of two.
    """
    return apply_train(_hadamards(rows.shape[-1], rows.device, rows.dtype), rows)


@lru_cache(maxsize=64)
def _hadamards(size: int, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """The matrix as a train."""
    bits = size.bit_length() - 1
    shares = [min(5, bits - done) for done in range(0, bits, 5)] or [0]
    with torch.inference_mode(False):  # what is kept has to serve a training later, too
        matrices = [walsh(torch.eye(1 << b, device=device, dtype=dtype)) for b in shares]
    return [matrix[None, :, :, None] for matrix in matrices]


class QWHALinear(TunerLinear):
    """A linear layer with Walsh–Hadamard coefficients beside it."""

    adapter_layer_names = ("qwha_update",)


class QWHAModel(TunerModel):
    """A model tuned by :class:`QWHAConfig`."""

    prefix = "qwha_"
    tuner_layer_cls = QWHALinear


register(QWHAModel, QWHAConfig)
