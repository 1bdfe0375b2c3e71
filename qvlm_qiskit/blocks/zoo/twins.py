"""Classical twins: networks of as many trainable numbers as a circuit."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo.core import SizedCore, Sizes
from qvlm_qiskit.errors import InputError, UnknownNameError

BOUNDS = ("tanh", "softmax", "none")


class MatchedNetwork(SizedCore):
    r"""One hidden layer of tanh with exactly as many trainable numbers as the circuit.

    A hidden unit has m + k + 1 of them. As many units as fit are made; what is left over becomes
    offsets of the outputs, and then factors of the first inputs. Where not even one unit fits, the
    inputs are averaged in groups, few enough for one.
    """

    def __init__(self, config: Any, bound: str = "none", sizes: Sizes | None = None) -> None:
        """Create the network.

        Args:
            config: Of the circuit, of features or of images.
            bound: What the outputs go through: ``"tanh"`` as those of expectation values,
                ``"softmax"`` as those of probabilities, ``"none"``.
            sizes: Instead of the configuration's.

        Raises:
            InputError: The circuit has too few parameters for any network.
        """
        super().__init__(config)
        self.sizes = sizes or self.sizes
        if bound not in BOUNDS:
            raise UnknownNameError("bound", bound, BOUNDS)
        self.bound = bound
        m, k = self.sizes.count(self.sizes.inputs), self.sizes.count(self.sizes.outputs)
        given = self.sizes.parameters
        self.groups = min(m, given - k - 1)
        if self.groups < 1:
            raise InputError(
                f"no network from {m} to {k} values has only {given} parameters: the circuit needs "
                "more for a classical twin"
            )
        units, left = divmod(given, self.groups + k + 1)
        offsets = min(left, k)
        self.inner = nn.Parameter(torch.empty(units, self.groups))
        self.shift = nn.Parameter(torch.empty(units))
        self.outer = nn.Parameter(torch.empty(k, units))
        self.offset = nn.Parameter(torch.empty(offsets))
        self.factor = nn.Parameter(torch.empty(left - offsets))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw weights of unit variance over what they add up."""
        init.normal_(self.inner, std=1 / math.sqrt(self.groups))
        init.normal_(self.outer, std=1 / math.sqrt(max(1, self.outer.shape[1])))
        init.zeros_(self.shift)
        init.zeros_(self.offset)
        init.ones_(self.factor)

    def values(self, samples: Tensor) -> Tensor:
        """Of samples of the circuit's shape, its outputs' shape."""
        lead = samples.shape[: samples.dim() - len(self.sizes.inputs)]
        flat = samples.flatten(len(lead))
        if self.groups < flat.shape[-1]:
            flat = F.adaptive_avg_pool1d(flat.reshape(-1, 1, flat.shape[-1]), self.groups)
            flat = flat.reshape(*lead, self.groups)
        factor, offset, inner, shift, outer = (
            parameter.to(flat.dtype)
            for parameter in (self.factor, self.offset, self.inner, self.shift, self.outer)
        )
        scaled = flat * F.pad(factor, (0, self.groups - len(factor)), value=1.0)
        hidden = torch.tanh(F.linear(scaled, inner, shift))
        out = F.linear(hidden, outer, F.pad(offset, (0, len(outer) - len(offset))))
        return self._bounded(out).reshape(*lead, *(side or 1 for side in self.sizes.outputs))

    def _bounded(self, out: Tensor) -> Tensor:
        if self.bound == "tanh":
            return torch.tanh(out)
        return torch.softmax(out, dim=-1) if self.bound == "softmax" else out
