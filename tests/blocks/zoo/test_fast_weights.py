"""Series step by step: the recurrence in numbers, the circuit by Qiskit."""

import math

import pytest
import torch
from qiskit import QuantumCircuit

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError


def programs(core, series):
    """The angles of each step, by the recurrence."""
    angles, found = torch.zeros(core.config.repetitions, core.config.qubits).double(), []
    for step in series:
        latent = core.slow.weight @ step + core.slow.bias
        layers = core.layers.weight @ latent + core.layers.bias
        qubits = core.qubits.weight @ latent + core.qubits.bias
        angles = angles + torch.outer(layers, qubits)
        found.append(angles.tolist())
    return found


@pytest.mark.parametrize(
    ("inputs", "outputs", "qubits", "repetitions"), [(1, 1, 1, 2), (2, 3, 3, 1), (1, 4, 5, 2)]
)
def test_values_are_those_of_one_step_after_the_other(z_of, inputs, outputs, qubits, repetitions):
    torch.manual_seed(0)
    core = build(
        "fast-weights", inputs=inputs, outputs=outputs, qubits=qubits, repetitions=repetitions
    ).double()
    series = torch.randn(4, inputs, dtype=torch.float64)
    found = core(series[None])[0].tolist()
    for step, program in enumerate(programs(core, series)):
        circuit = QuantumCircuit(qubits)
        circuit.h(range(qubits))
        for qubit, feature in enumerate(series[step].tolist()):
            circuit.ry(feature, qubit)
        for layer in program:
            for first in (0, 1):
                for qubit in range(first, qubits - 1, 2):
                    circuit.cx(qubit, qubit + 1)
            for qubit, angle in enumerate(layer):
                circuit.ry(angle, qubit)
        torch.testing.assert_close(found[step], z_of(circuit)[:outputs], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_the_last_step_alone_has_the_same_values(kind):
    torch.manual_seed(0)
    core = build("fast-weights", qubits=4, tokens=3, kind=kind)
    last = build("fast-weights", qubits=4, tokens=3, kind=kind, every_step=False)
    last.load_state_dict(core.state_dict())
    series = torch.randn(5, 3, 1)
    assert last.sizes.rows == 1
    torch.testing.assert_close(last(series), core(series)[:, -1:])


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_a_step_does_not_see_later_ones_and_sees_earlier_ones(kind):
    torch.manual_seed(0)
    core = build("fast-weights", qubits=4, tokens=4, kind=kind).double()
    series = torch.randn(1, 4, 1, dtype=torch.float64)
    changed = series.clone()
    changed[:, 2] += 1
    difference = (core(changed) - core(series)).abs().sum(-1)[0]
    assert (difference > 1e-6).tolist() == [False, False, True, True]


def test_the_twins_formula():
    torch.manual_seed(0)
    twin = build("fast-weights", tokens=2, inputs=2, outputs=2, qubits=3, kind="classical").double()
    series = torch.randn(2, 2, dtype=torch.float64)
    a, b, c = (*series[1].tolist(), 0.0)
    for layer in programs(twin, series)[1]:
        given = zip((a, b, c), (c, a, b), layer, strict=True)
        a, b, c = (math.tanh(own + before + offset) for own, before, offset in given)
    torch.testing.assert_close(twin(series)[1].tolist(), [a, b], rtol=0, atol=1e-10)


def test_it_has_as_many_numbers_as_the_sources_without_its_last_map():
    assert build("fast-weights").sizes.parameters == 111 - 5


def test_it_learns_a_damped_oscillation():
    """Far better than the mean, within a few steps."""
    torch.manual_seed(0)
    time = torch.linspace(0, 20, 120)
    windows = (torch.exp(-time / 10) * torch.sin(2 * time)).unfold(0, 5, 1)[..., None]
    core = build("fast-weights", qubits=4, every_step=False)
    model = torch.nn.Sequential(core, torch.nn.Flatten(), torch.nn.Linear(4, 1))
    optimiser = torch.optim.RMSprop(model.parameters(), 0.01)
    for _ in range(60):
        loss = (model(windows[:, :4]) - windows[:, 4]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.2 * windows[:, 4].square().mean()


def test_what_can_not_be_built_is_refused():
    with pytest.raises(InputError, match="outputs=4 are more than qubits=3"):
        build("fast-weights", qubits=3)
    with pytest.raises(InputError, match="inputs=5 are more than qubits=4"):
        build("fast-weights", inputs=5, qubits=4)
