import numpy as np
import pytest
import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.basics.same_row import GRID
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, make_qnn, run_on
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead


class Counting(StatevectorEstimator):
    """Remembers what it was asked, by call and pub."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.calls.append(pubs)
        return super().run(pubs, precision=precision)


def layer(seed=0):
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    for qubit in range(2):
        circuit.ry(inputs[qubit], qubit)
        circuit.rx(weights[qubit], qubit)
    circuit.cx(0, 1)
    start = np.random.default_rng(seed).uniform(-1, 1, 2)
    return QuantumLayer(make_qnn(circuit, list(inputs), list(weights)), start)


class InARow(torch.nn.Module):
    """The second circuit's inputs are the first one's values."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layer(0), layer(1)

    def forward(self, rows):
        return self.second(self.first(rows))


class SideBySide(InARow):
    """Two circuits of the same inputs."""

    def forward(self, rows):
        return self.first(rows) + self.second(rows)


def trained(model, rows, machine, ahead=None):
    """Gradients of a step, asked for ahead if wanted; how many rounds that took."""
    rounds = 0
    on_grid = torch.round(rows / GRID) * GRID
    with run_on(model, machine if ahead is None else ahead, SampledGradient("param_shift")):
        while ahead is not None:
            with ahead.collecting() as found:
                model(rows)
            if found.pubs:
                ahead.learn(found.pubs)
                rounds += 1
            if not (found.pubs and found.waits):
                break
        model(on_grid if ahead is None else rows).square().sum().backward()
    return [p.grad.clone() for p in model.parameters()], rounds


@pytest.mark.parametrize(("kind", "rounds"), [(SideBySide, 1), (InARow, 2)])
def test_a_step_is_one_call_for_each_level_and_has_the_same_gradients(kind, rounds):
    rows = torch.rand(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plain, _ = trained(kind(), rows, StatevectorEstimator())
    machine = Counting()
    found, took = trained(kind(), rows, machine, AskedAhead(machine))
    assert (took, len(machine.calls)) == (rounds, rounds)
    for ours, theirs in zip(found, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-6 if kind is InARow else 1e-9)


def test_only_what_trains_is_shifted():
    rows = torch.rand(3, 2)
    for trains_inputs, shifted in ((False, 2 * 2 * 3), (True, 4 * 2 * 3)):
        ahead, model = AskedAhead(StatevectorEstimator()), layer()
        with model.run_on(ahead, SampledGradient()), ahead.collecting() as found:
            model(rows.clone().requires_grad_(trains_inputs))
        values, shifts = (pub.parameter_values.size for pub in found.pubs.values())
        assert (values, shifts) == (3, shifted)


def test_without_gradients_only_values_are_asked():
    ahead, model = AskedAhead(StatevectorEstimator()), layer()
    with model.run_on(ahead, SampledGradient()), ahead.collecting() as found, torch.no_grad():
        assert model(torch.rand(3, 2)).isnan().all()
    assert len(found.pubs) == 1 and not found.waits


def test_what_was_not_asked_ahead_is_asked_then():
    machine, model = Counting(), layer()
    with model.run_on(AskedAhead(machine), SampledGradient()):
        model(torch.rand(2, 2)).sum().backward()
    assert len(machine.calls) == 2 and model.weight.grad is not None


def test_rows_that_differ_by_rounding_are_one_row():
    machine, model = Counting(), layer()
    row = torch.tensor([[0.25, 0.5]], dtype=torch.float64)
    with model.run_on(AskedAhead(machine), SampledGradient()), torch.no_grad():
        model(torch.cat([row, row + 1e-9]))
    ((pub,),) = machine.calls
    assert pub.parameter_values.shape == (1,)


def test_directions_are_the_same_in_the_pass_that_collects_and_in_the_step():
    machine, model = Counting(), layer()
    ahead = AskedAhead(machine)
    rows = torch.rand(2, 2)
    with model.run_on(ahead, SampledGradient("spsa", seed=1)):
        with model.same_directions(), ahead.collecting() as found:
            model(rows)
        ahead.learn(found.pubs)
        model(rows).sum().backward()
    assert len(machine.calls) == 1
