"""The edges of a Kolmogorov-Arnold layer: a circuit of one qubit on each, arXiv:2509.14026."""

from __future__ import annotations

from typing import Any

import torch
from peers.runner import TorchRunner
from torch import Tensor
from workloads import Data

from circuits import contenders
from circuits.contenders import Contender, Row
from circuits.described import Case, Gate, drawn

REPETITIONS = 3


def row(smoke: bool) -> Row:
    """Ten inputs, ten outputs: a hundred edges."""
    width, batch = (2, 3) if smoke else (10, 128)
    edges = width * width
    data = drawn((batch, width), (edges, 2 * REPETITIONS + 2), (batch, edges))
    title = f"one-qubit edges: QKAN layer {width} → {width}, {edges} ⟨Z⟩, B = {batch}"
    found = [
        contenders.ours(lambda: _ours(data)),
        contenders.tensorcircuit(lambda: _tensorcircuit(data)),
        Contender(
            *("qkan", "qkan, exact solver", "qkan"),
            lambda: _qkan(data),
            modules=("qkan.solver",),
        ),
        contenders.torch(lambda: _bloch(data), "plain torch, Bloch vectors"),
    ]
    return Row(title, found)


def _case(data: Data) -> Case:
    """Every edge is a group with an input of its own."""
    gates = [Gate("h", (0,))]
    for step in range(REPETITIONS + 1):
        gates.append(Gate("rz", (0,), ("w", 2 * step)))
        gates.append(Gate("ry", (0,), ("w", 2 * step + 1)))
        if step < REPETITIONS:
            gates.append(Gate("rz", (0,), ("x", 0)))
    inputs = data.inputs.repeat(len(data.weights) // data.inputs.shape[1], 1)
    grouped = data._replace(inputs=inputs.reshape(len(data.inputs), -1, 1))
    return Case("", 1, tuple(gates), ((0,),), grouped)


def _ours(data: Data) -> TorchRunner:
    from circuits.ours import layer_of

    layer = layer_of(_case(data))
    copies = len(data.weights) // data.inputs.shape[1]

    def values(x: Tensor) -> Tensor:
        return layer(x.repeat(1, copies)[..., None])[..., 0]

    return TorchRunner(values, [layer.weight], data)


def _tensorcircuit(data: Data) -> Any:
    import jax.numpy as jnp
    import tensorcircuit as tc
    from peers.tensorcircuit_jax import JaxRunner

    from circuits.tensorcircuit_jax import batched

    tc.set_dtype("complex64")
    function = batched(_case(data))
    copies = len(data.weights) // data.inputs.shape[1]
    return JaxRunner(lambda x, w: function(jnp.tile(x, (1, copies))[..., None], w)[..., 0], data)


def _qkan(data: Data) -> TorchRunner:
    """With ``fast_measure=True``, its default, it would not read ⟨Z⟩ but |α| - |β|."""
    from qkan.solver import get_solver

    solve, width = get_solver("exact"), data.inputs.shape[1]
    weights = torch.tensor(data.weights, requires_grad=True)
    options = {"ansatz": "pz_encoding", "fast_measure": False, "preacts_trainable": False}

    def values(x: Tensor) -> Tensor:
        theta = weights.reshape(-1, width, REPETITIONS + 1, 2)
        found: Tensor = solve(x, theta, None, None, REPETITIONS, out_dim=len(theta), **options)
        return found.flatten(1)

    return TorchRunner(values, [weights], data)


def _bloch(data: Data) -> TorchRunner:
    """Rotations of real vectors: H puts the qubit on the x axis."""
    width = data.inputs.shape[1]
    weights = torch.tensor(data.weights, requires_grad=True)

    def values(inputs: Tensor) -> Tensor:
        x = torch.ones(len(inputs), len(weights))
        y, z = torch.zeros_like(x), torch.zeros_like(x)
        angles = inputs.repeat(1, len(weights) // width)
        for step in range(REPETITIONS + 1):
            x, y = _turned(weights[:, 2 * step], x, y)
            z, x = _turned(weights[:, 2 * step + 1], z, x)
            if step < REPETITIONS:
                x, y = _turned(angles, x, y)
        return z

    return TorchRunner(values, [weights], data)


def _turned(angle: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = torch.cos(angle), torch.sin(angle)
    return cos * first - sin * second, sin * first + cos * second
