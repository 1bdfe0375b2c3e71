"""Rows that are asked once, and that are the same numbers on every computer.

A run that is gone on with is a forward pass made again, perhaps on another processor, with other
threads or in batches of another shape. In single precision the same token then differs in the last
bits, and a ledger, which tells values apart to the last bit, would buy it again. So what enters
circuits is computed in double precision here and rounded to a grid that is far finer than any
machine's angles (:func:`qvlm_qiskit.basics.same_row.on_grid`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import Tensor, nn
from torch.func import functional_call

from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.basics.same_row import GRID, largest_rate, on_grid
from qvlm_qiskit.blocks import blocks_in, layers_outside
from qvlm_qiskit.errors import InputError

Floats = NDArray[np.float64]


class KnownRows(BaseEstimatorV2):
    """Rounds angles to a grid, and asks the estimator behind it for each row once.

    Serves one quantum layer: pubs of one circuit, with the observables along the first axis and
    the rows along the second.

    Args:
        inner: Answers rows that are not known.
        grid: Radians between neighbouring values.
    """

    def __init__(self, inner: BaseEstimatorV2, grid: float = GRID) -> None:
        self.inner = inner
        self.grid = grid
        self._known: dict[bytes, tuple[Floats, Floats]] = {}

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Answer pubs; new rows go to the inner estimator in one pub each.

        Raises:
            InputError: A pub of another shape.
        """
        answers = [self._answer(EstimatorPub.coerce(pub, precision)) for pub in pubs]
        return FinishedJob(PrimitiveResult(answers, metadata={"version": 2}))

    def _answer(self, pub: EstimatorPub) -> PubResult:
        if pub.parameter_values.ndim != 1 or pub.observables.ndim != 2:
            raise InputError(f"rows and observables of a layer are expected, got {pub.shape}")
        names = tuple(pub.circuit.parameters)
        rate = largest_rate(pub.circuit)
        values = on_grid(pub.parameter_values.as_array(names), rate, self.grid)
        keys = [row.tobytes() for row in values]
        new = {key: row for key, row in zip(keys, values, strict=True) if key not in self._known}
        if new:
            bindings = BindingsArray({names: np.stack(list(new.values()))} if names else {},
                                     shape=(len(new),))  # fmt: skip
            asked = EstimatorPub(pub.circuit, pub.observables, bindings, pub.precision)
            answer = self.inner.run([asked]).result()[0].data
            for place, key in enumerate(new):
                self._known[key] = (answer.evs[:, place], answer.stds[:, place])
        evs = np.stack([self._known[key][0] for key in keys], axis=1)
        stds = np.stack([self._known[key][1] for key in keys], axis=1)
        return PubResult(DataBin(evs=evs, stds=stds, shape=evs.shape))


@contextmanager
def asked_once(model: nn.Module) -> Iterator[None]:
    """Until the end of the block, a model asks its estimators for rows on the grid, each once."""
    grids = {layer: GRID for layer in layers_outside(model).values()}
    for block in blocks_in(model).values():
        grids |= {layer: block.angle_grid for layer in block.layers.values()}
    with angles_in_double(model), ExitStack() as stack:
        for layer, grid in grids.items():
            stack.enter_context(layer.run_on(KnownRows(layer.active_estimator, grid)))
        yield


@contextmanager
def angles_in_double(model: nn.Module) -> Iterator[None]:
    """Until the end of the block, what becomes angles of circuits is computed in double.

    Blocks say which of their maps that are. Of what stands before a quantum layer that is in no
    block nobody knows it: there every linear map and convolution is, and is rounded once.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                stack.enter_context(_hooked(module, _in_double(rounded=True)))
        for module in _linear_outside(model) if layers_outside(model) else ():
            stack.enter_context(_hooked(module, _in_double(rounded=True)))
        for block in blocks_in(model).values():
            for name in block.angle_maps:
                stack.enter_context(_hooked(block.get_submodule(name), _in_double(rounded=False)))
            for name in block.circuits:
                stack.enter_context(_hooked(block.get_submodule(name), _in_single))
        yield


@contextmanager
def _hooked(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _linear_outside(model: nn.Module) -> list[nn.Linear]:
    """The linear maps of a model that lie in no block."""
    inside = {module for block in blocks_in(model).values() for module in block.modules()}
    return [m for m in model.modules() if isinstance(m, nn.Linear) and m not in inside]


def _in_double(rounded: bool) -> Any:
    """A hook that computes what its module computes, whatever that is, in double precision.

    Args:
        rounded: To the precision that the module gives; otherwise the result becomes angles, and
            stays in double.
    """
    inside = False

    def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Tensor) -> Any:
        nonlocal inside
        if inside:  # the call below
            return None
        own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        inside = True
        try:
            exact = functional_call(
                module,
                {name: _widened(tensor) for name, tensor in own.items()},
                tuple(map(_widened, given)),
                {name: _widened(value) for name, value in named.items()},
            )
        finally:
            inside = False
        return exact.to(out.dtype) if rounded else exact

    return hook


def _widened(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _in_single(_: nn.Module, __: Any, ___: Any, out: Tensor) -> Tensor:
    return out.to(torch.float32)
