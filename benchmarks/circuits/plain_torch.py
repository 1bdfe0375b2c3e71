"""What a plain torch program reaches: gates one by one on batched states, differentiated by torch.

No framework, nothing fused; a second, independent way to the same numbers.
"""

from __future__ import annotations

import torch
from peers.runner import TorchRunner
from torch import Tensor

from circuits.described import Case, Gate, light_cones, signs

MOST_QUBITS = 20


def build(case: Case) -> TorchRunner:
    """Close over weights and constants; a wide circuit is cut into its light cones by hand."""
    weights = torch.tensor(case.data.weights, requires_grad=True)
    if case.num_qubits <= MOST_QUBITS:
        return TorchRunner(lambda inputs: outputs(case, inputs, weights), [weights], case.data)
    parts = light_cones(case)
    place = torch.cat([torch.from_numpy(part.outputs) for part in parts]).argsort()

    def evaluate(inputs: Tensor) -> Tensor:
        values = [
            outputs(part.case, inputs[:, part.inputs], weights[part.weights])[..., 0]
            for part in parts
        ]
        return torch.cat(values, 1)[:, place]

    return TorchRunner(evaluate, [weights], case.data)


def outputs(case: Case, inputs: Tensor, weights: Tensor) -> Tensor:
    """What is read, ``(…, n_outputs)``; weights broadcast against the inputs' rows."""
    lead = inputs.shape[:-1]
    state = inputs.new_zeros(*lead, *[2] * case.num_qubits, dtype=torch.complex64)
    state.flatten(len(lead))[..., 0] = 1
    sources = {"x": inputs, "w": weights}
    for gate in case.gates:
        angle = None
        if gate.angle is not None:
            angle = sources[gate.angle[0]][..., gate.angle[1]][..., *[None] * case.num_qubits]
        state = _applied(state, gate, angle)
    flat = state.flatten(len(lead))
    if case.read == "states":
        return torch.view_as_real(flat).flatten(-2)
    probabilities = flat.real.square() + flat.imag.square()
    return (
        probabilities
        if case.read == "probabilities"
        else probabilities @ torch.from_numpy(signs(case))
    )


def _applied(state: Tensor, gate: Gate, angle: Tensor | None) -> Tensor:
    if gate.name == "zz":
        for pair in gate.pairs():
            state = _applied(state, Gate("rzz", pair), angle)
        return state
    if gate.name in ("cx", "pooling"):
        control, target = gate.qubits
        axis = state.dim() - 1 - control
        zero, one = state.unbind(axis)
        # the control's axis is gone: of the target's index, and of the angle's shape
        inner = Gate("x" if gate.name == "cx" else "rx", (target - (target > control),))
        one = _applied(one, inner, None if angle is None else angle[..., 0])
        return torch.stack((zero, one), axis)
    axes = [state.dim() - 1 - qubit for qubit in gate.qubits]
    if gate.name == "x":
        return state.flip(axes)
    if gate.name == "h":
        zero, one = state.unbind(axes[0])
        return torch.stack((zero + one, zero - one), axes[0]) / 2**0.5
    assert angle is not None
    turned = _turned(state, gate.name[1], axes)
    return torch.cos(angle / 2) * state - 1j * torch.sin(angle / 2) * turned


def _turned(state: Tensor, letter: str, axes: list[int]) -> Tensor:
    """X, Y = i·XZ or Z on every one of the axes."""
    if letter in "zy":
        for axis in axes:
            zero, one = state.unbind(axis)
            state = torch.stack((zero, -one), axis)
    if letter in "xy":
        state = state.flip(axes)
    return 1j * state if letter == "y" else state
