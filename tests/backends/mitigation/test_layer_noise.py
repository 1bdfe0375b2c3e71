"""Noise that is learned from decays is the noise that is there."""

import numpy as np
import pytest

from qvlm_qiskit.backends.mitigation.layer_noise import DEPTHS, LearningProtocol
from qvlm_qiskit.backends.mitigation.layers import Layer
from qvlm_qiskit.noise_models import build, combined, depolarizing, over_rotation, readout
from tests.backends.mitigation.circuits import TARGET

LAYER = Layer((("cz", (1, 3)),))
BOTH = Layer((("cz", (0, 2)), ("cz", (1, 3))))


def learned(device, layer, shots=512, calibration=""):
    protocol = LearningProtocol(TARGET, 4, shots, calibration)
    return protocol.fit(layer, device.run(protocol.pubs(layer)).result())


@pytest.mark.parametrize("layer", [LAYER, BOTH])
def test_depolarising_noise_is_found_exactly_whatever_the_readout(layer, exact_device):
    """f = 1 − p for every Pauli on a gate, so that all 15 rates are −log(1 − p)/16."""
    noise = combined(depolarizing(0.02), readout(0.03, 0.05))
    found = learned(exact_device(build(noise)), layer)
    np.testing.assert_allclose(found.rates, -np.log(0.98) / 16, rtol=1e-6)
    assert found.gamma == pytest.approx(0.98 ** (-15 / 8 * len(layer.gates)))


@pytest.mark.parametrize(
    ("noise", "coherent"),
    [(depolarizing(0.02), False), (over_rotation(0.03), True), (over_rotation(-0.03), True)],
)
def test_decays_that_are_no_exponentials_are_said(noise, coherent, exact_device):
    found = learned(exact_device(build(noise)), LAYER)
    assert (found.chi2 > 30) is coherent
    assert found.chi2 > 30 or found.chi2 < 0.01  # no shots, so that nothing scatters


def test_no_noise_is_learned_where_there_is_none(exact_device):
    found = learned(exact_device(build(depolarizing(0.0))), LAYER)
    assert found.rates.max() < 1e-12
    np.testing.assert_allclose(found.flips(), 0, atol=1e-12)


def test_flips_follow_the_rates(exact_device):
    found = learned(exact_device(build(depolarizing(0.02))), LAYER)
    np.testing.assert_allclose(found.flips(3.0), (1 - np.exp(-6 * found.rates)) / 2)


def test_counts_and_preparations_are_those_that_are_stated():
    protocol = LearningProtocol(TARGET, 4, 512)
    pubs = protocol.pubs(LAYER)
    assert len(pubs) == 9 * len(DEPTHS)
    circuits = sum(pub.parameter_values.size for pub in pubs)
    assert circuits * 512 == protocol.executions()
    assert all(pub.shape[1] == 4 for pub in pubs)


def test_equal_preparations_are_rows_of_their_own():
    """Two qubits have four preparations of a basis, which eight rows share."""
    for pub in LearningProtocol(TARGET, 8, 512).pubs(LAYER):
        rows = pub.parameter_values.as_array()
        assert len(np.unique(rows, axis=0)) == 8
        turned = np.round(rows / (2 * np.pi) % 1, 9) % 1
        assert len(np.unique(turned, axis=0)) <= 4


def test_another_calibration_draws_other_circuits():
    first, same, other = (
        LearningProtocol(TARGET, 8, 512, date).pubs(LAYER)[5].parameter_values.as_array()
        for date in ("2026-11-01", "2026-11-01", "2026-11-02")
    )
    np.testing.assert_array_equal(first, same)
    rows = {tuple(row) for row in np.concatenate([first, other])}
    assert len(rows) == 16
