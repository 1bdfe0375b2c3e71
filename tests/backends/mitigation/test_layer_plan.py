"""Random circuits that cancel or amplify the learned noise of layers."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends.mitigation.layer_noise import LayerNoise
from qvlm_qiskit.backends.mitigation.layer_plan import LayerPlan
from qvlm_qiskit.backends.mitigation.layers import Layered, Support
from tests.backends.mitigation.circuits import TARGET

COUNT = 40_000


def layered_circuit():
    circuit = QuantumCircuit(5)
    circuit.cz(0, 1)
    circuit.cz(2, 3)
    circuit.rz(0.3, 1)
    circuit.sx(1)
    circuit.cz(1, 2)
    return circuit


def planned(scale=0.01):
    circuit, rng = layered_circuit(), np.random.default_rng(7)
    noise = []
    for layer in Layered.of(circuit, "pea").unique:
        support = Support.of(layer, TARGET)
        rates = scale * rng.random(len(support.paulis))
        noise.append(LayerNoise(layer, support, rates, np.zeros_like(rates)))
    return LayerPlan.of(circuit, noise, "pea")


def test_gamma_is_that_of_all_layers_as_often_as_they_are_made():
    plan = planned()
    assert plan.gamma == pytest.approx(np.exp(2 * sum(one.rates.sum() for one in plan.noise)))
    assert plan.noisy == (0, 1)
    assert planned(0.0).noisy == ()


def test_the_signs_add_up_to_a_quasi_probability_of_one():
    plan = planned()
    signs = plan.draw(COUNT, np.random.default_rng(1)).signs
    factor = plan.gamma * (1 - plan.unchanged)
    total = plan.gamma * plan.unchanged + factor * signs.mean()
    assert abs(total - 1) < 5 * factor * signs.std() / np.sqrt(COUNT)


def test_amplified_noise_flips_every_pauli_as_often_as_its_rates_say():
    """The last layer alone: its frames are the inserted Paulis, nothing moves them."""
    plan = planned(0.05)
    circuit = QuantumCircuit(5)
    circuit.cz(1, 2)
    alone = LayerPlan.of(circuit, plan.noise, "pea")
    frames = alone.amplified(3.0, COUNT, np.random.default_rng(2)).frames
    noise = alone.noise[0]
    bits = noise.support.bits()
    x, z = bits[:, :2].astype(int), bits[:, 2:].astype(int)
    apart = (x @ z.T + z @ x.T) % 2
    found = frames[:, [1, 2, 6, 7]].astype(int)
    odd = (found[:, :2] @ z.T + found[:, 2:] @ x.T) % 2
    expected = np.exp(-2 * (2.0 * noise.rates) @ apart)
    changed = (1 - alone.untouched(3.0)) * odd.mean(axis=0)
    np.testing.assert_allclose(1 - 2 * changed, expected, atol=5 / np.sqrt(COUNT))
    assert frames.any(axis=1).mean() > 0.8
    assert not frames[:, [0, 3, 4, 5, 8, 9]].any()


def test_equal_random_numbers_draw_equal_circuits_and_each_has_a_pauli():
    plan = planned()
    first, again = (plan.draw(50, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.flips, again.flips)
    assert first.flips.shape == (50, 1)
