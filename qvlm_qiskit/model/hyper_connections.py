"""Manifold-constrained hyper-connections (mHC): residual streams side by side, mixed per token.

Xie et al., "mHC: Manifold-Constrained Hyper-Connections", arXiv 2512.24880; the modules and their
parameters are those of DeepSeek-V4 in transformers. Of a token's n streams of D numbers, a learned
projection makes the weights with which they are collapsed into a block's input, with which the
block's output is added to each of them, and with which they are mixed: a matrix that Sinkhorn's
iterations make doubly stochastic, so that no depth amplifies them.

In torch operations a small decoder takes four times as long with hyper-connections as without. On
the CPU, for float32 and float64, everything per token is compiled (:mod:`.mhc`): one pass before
the block and one after it, and as many on the way back. Elsewhere torch operations compute the
same: on other devices, for other dtypes or parameters of another dtype than the streams, for
tensors of other classes, under ``torch.func`` transforms, forward-mode derivatives and dispatch
modes, while torch compiles, traces or exports, and for derivatives of derivatives.

Weights are computed in float64 where streams are, else in float32, whatever autocast says: in 8 or
11 bits the mixing matrix would not be doubly stochastic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.models.deepseek_v4.modeling_deepseek_v4 import (
    DeepseekV4HyperConnection,
    DeepseekV4HyperHead,
)

from qvlm_qiskit.model.mhc.nodes import Constants, Formula, collapse, enter, is_compiled, leave
from qvlm_qiskit.quantum.torch_support.single_precision import at_least_single


class HyperConnection(DeepseekV4HyperConnection):
    """What stands in the place of a block's residual connection.

    Parameters, as transformers' module has them (uninitialised until the model's own
    initialisation): ``fn`` ``(n(n + 2), n D)``, ``base`` ``(n(n + 2),)`` and ``scale`` ``(3,)``.
    The configuration gives ``hidden_size`` (D), ``hc_mult`` (n), ``hc_sinkhorn_iters``, ``hc_eps``
    and ``rms_norm_eps``.
    """

    def around(self, streams: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """The streams behind a block: its output for each of them, and what they were, mixed.

        Args:
            streams: ``(B, T, n, D)``.
            block: From one stream ``(B, T, D)`` of the streams' dtype to one; it runs under the
                caller's autocast, and may return another floating dtype.

        Returns:
            ``post[..., None] * block(collapsed)[..., None, :] + comb.mT @ streams``, of the
            streams' shape and dtype, with the weights of :meth:`forward`.
        """
        parameters = self.fn, self.base, self.scale
        if not (_fit(streams, self.hc_mult, self.fn) and is_compiled(streams, *parameters)):
            post, comb, collapsed = self(streams)
            return mixed(post, comb, streams, block(collapsed))
        given = streams.contiguous()
        formula = Formula(self._constants, self._weights)
        post, comb, collapsed, given = enter(given, *parameters, formula)
        out = block(collapsed).to(streams.dtype)
        if out.shape != collapsed.shape or not is_compiled(post, comb, given, out):
            return mixed(post, comb, given, out)
        return leave(post, comb, given, out, Formula(self._constants, _mixed))

    def forward(self, hidden_streams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The weights alone, in torch operations.

        Args:
            hidden_streams: ``(B, T, n, D)``.

        Returns:
            ``post`` ``(B, T, n)`` and ``comb`` ``(B, T, n, n)`` in float32 or float64, and the
            block's input ``(B, T, D)`` in the streams' dtype.
        """
        with full_precision(hidden_streams):
            return self._weights(hidden_streams, self.fn, self.base, self.scale)

    def _weights(
        self, streams: Tensor, fn: Tensor, base: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, eps = self.hc_mult, self._constants.eps
        parts = [n, n, n * n]
        kinds = torch.split(_projected(streams, fn, self._constants.norm_eps), parts, -1)
        bases = torch.split(base.to(kinds[0].dtype), parts)
        scales = scale.to(kinds[0].dtype).unbind(0)
        pre, post, comb = (w * s + b for w, s, b in zip(kinds, scales, bases, strict=True))
        comb = torch.softmax(comb.reshape(*comb.shape[:-1], n, n), -1) + eps
        for step in range(self._constants.steps):
            comb = comb / (comb.sum(-1 if step % 2 else -2, keepdim=True) + eps)
        weights = torch.sigmoid(pre) + eps
        return 2 * torch.sigmoid(post), comb, _collapsed(weights, streams)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Torch's way to every tensor: they are not narrowed to half precision."""
        return super()._apply(at_least_single(fn), recurse)

    @property
    def _constants(self) -> Constants:
        steps = max(1, 2 * self.hc_sinkhorn_iters - 1)  # of columns first and last
        return Constants(self.hc_eps, self.input_norm.eps, steps)


class HyperHead(DeepseekV4HyperHead):
    """The streams behind the last block as one.

    Parameters, as transformers' module has them: ``hc_fn`` ``(n, n D)``, ``hc_base`` ``(n,)`` and
    ``hc_scale`` ``(1,)``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """From streams ``(B, T, n, D)`` to their weighted sum ``(B, T, D)``, of the same dtype."""
        parameters = self.hc_fn, self.hc_base, self.hc_scale
        if _fit(x, self.hc_mult, self.hc_fn) and is_compiled(x, *parameters):
            constants = Constants(self.eps, self.input_norm.eps)
            return collapse(x.contiguous(), *parameters, Formula(constants, self._twin))
        with full_precision(x):
            return self._twin(x, *parameters)[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Torch's way to every tensor: they are not narrowed to half precision."""
        return super()._apply(at_least_single(fn), recurse)

    def _twin(self, x: Tensor, fn: Tensor, base: Tensor, scale: Tensor) -> tuple[Tensor]:
        raw = _projected(x, fn, self.input_norm.eps)
        pre = torch.sigmoid(raw * scale.to(raw.dtype) + base.to(raw.dtype)) + self.eps
        return (_collapsed(pre, x),)


def mixed(post: Tensor, comb: Tensor, streams: Tensor, out: Tensor) -> Tensor:
    """A block's output ``(B, T, D)`` and the streams ``(B, T, n, D)``, weighted, in torch.

    Computed in the weights' dtype, and rounded once to the streams'.
    """
    with full_precision(streams):
        return _mixed(post, comb, streams, out)[0]


def _mixed(post: Tensor, comb: Tensor, streams: Tensor, out: Tensor) -> tuple[Tensor]:
    both = post[..., None] * out.to(post.dtype)[..., None, :] + comb.mT @ streams.to(comb.dtype)
    return (both.to(streams.dtype),)


def _fit(streams: Tensor, n: int, fn: Tensor) -> bool:
    """Whether there are as many streams as the module has; torch refuses others in its words."""
    return streams.shape[-2] == n and n * streams.shape[-1] == fn.shape[-1]


def _projected(streams: Tensor, fn: Tensor, eps: float) -> Tensor:
    """The projection of each token's numbers over the root of their mean square."""
    dtype = torch.float64 if streams.dtype == torch.float64 else torch.float32
    x = streams.flatten(-2).to(dtype)
    return F.linear(x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps), fn.to(dtype))


def _collapsed(weights: Tensor, streams: Tensor) -> Tensor:
    return (weights[..., None] * streams).sum(-2).to(streams.dtype)


@contextmanager
def full_precision(tensor: Tensor) -> Iterator[None]:
    """Autocast is off in here, for the tensor's device."""
    kind = tensor.device.type
    if not torch.amp.is_autocast_available(kind):  # such as "meta"
        yield
        return
    with torch.autocast(kind, enabled=False):
        yield
