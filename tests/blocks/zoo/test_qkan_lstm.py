"""The cell against torch's own, and number by number."""

import math

import pytest
import torch
from qiskit.quantum_info import Pauli, Statevector

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.quantum import TorchEstimator, run_on


def gates_of(core, inputs):
    """All gates of a list of inputs, every edge's circuit by Qiskit."""
    layer = core.gates
    network, found = layer.edges.neural_network, []
    names = [*network.input_params, *network.weight_params]
    for o in range(layer.config.outputs):
        total = 0.0
        for i, value in enumerate(inputs):
            angles = layer.edges.weight[o * len(inputs) + i].tolist()
            given = dict(zip(names, [value, *angles], strict=True))
            state = Statevector(network.circuit.assign_parameters(given))
            silu = value / (1 + math.exp(-value))
            z = state.expectation_value(Pauli("Z")).real
            total += layer.scale[o, i].item() * z + layer.base[o, i].item() * silu
        found.append(total)
    return found


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_hidden_states_are_those_of_one_step_after_the_other():
    torch.manual_seed(0)
    core = build("qkan-lstm", tokens=3, inputs=2, outputs=2, repetitions=2).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.uniform_(-1, 1)
    series = torch.randn(3, 2, dtype=torch.float64)
    hidden, cell = [0.0, 0.0], [0.0, 0.0]
    for step, found in zip(series.tolist(), core(series).tolist(), strict=True):
        gates = gates_of(core, [*step, *hidden])
        for k in range(2):
            taken, kept, new, shown = gates[k::2]
            cell[k] = sigmoid(kept) * cell[k] + sigmoid(taken) * math.tanh(new)
            hidden[k] = sigmoid(shown) * math.tanh(cell[k])
        torch.testing.assert_close(found, hidden, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scaled", [False, True])
def test_circuits_and_closed_form_are_equal_over_many_steps(scaled):
    torch.manual_seed(0)
    core = build("qkan-lstm", tokens=12, inputs=1, outputs=1, scaled=scaled).double()
    series = torch.randn(2, 12, 1, dtype=torch.float64)
    with torch.no_grad():
        exact = core(series)
        with run_on(core, TorchEstimator()):
            torch.testing.assert_close(core(series), exact, rtol=0, atol=1e-10)


def test_with_linear_gates_it_is_torchs_lstm():
    """The order of its gates, and what is done with them, is the usual one."""
    torch.manual_seed(0)
    cell = build("qkan-lstm", tokens=5, inputs=2, outputs=3, kind="classical")
    usual = torch.nn.LSTM(2, 3, batch_first=True)
    linear = torch.nn.Linear(5, 12)
    with torch.no_grad():
        linear.weight.copy_(torch.cat([usual.weight_ih_l0, usual.weight_hh_l0], 1))
        linear.bias.copy_(usual.bias_ih_l0 + usual.bias_hh_l0)
    cell.gates = linear
    series = torch.randn(4, 5, 2)
    torch.testing.assert_close(cell(series), usual(series)[0])


def test_a_frozen_cell_trains_what_is_around_its_circuits():
    frozen = build("qkan-lstm", inputs=1, outputs=2, kind="frozen")
    left = {name for name, p in frozen.named_parameters() if p.requires_grad and p.numel()}
    assert left == {"gates.scale", "gates.base"}
