"""Probabilistic error cancellation: unbiased for the stated noise, and refused without one."""

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Compiled, open_backend
from qvlm_qiskit.backends.mitigation import (
    ErrorCancelled,
    MitigatedDevice,
    mitigation_wrappers,
)
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import build, depolarizing
from tests.backends.mitigation.circuits import (
    NOISE,
    OBSERVABLES,
    TARGET,
    answered,
    entangled,
    rms,
    stacked,
)


@pytest.mark.slow
def test_cancelling_the_stated_noise_is_unbiased(exact_device, problem):
    """The mean over independent seeds is the exact value within its standard error."""
    (circuit, _, values), _ = problem
    pub = (circuit, OBSERVABLES, values[:1])
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    runs = [
        stacked("pec(samples=100)", exact_device(build(NOISE)), seed=seed).run([pub]).result()[0]
        for seed in range(12)
    ]
    evs = np.array([run.data.evs for run in runs])
    stds = np.array([run.data.stds for run in runs])
    deviations = (evs.mean(axis=0) - expected) / np.sqrt((stds**2).mean(axis=0) / len(runs))
    assert np.abs(deviations).max() < 4
    # Σ z² over runs and values; the values of a run are correlated, so the bound is generous.
    chi_square = np.mean(((evs - expected) / stds) ** 2)
    assert 0.6 < chi_square < 1.6


@pytest.mark.slow
def test_a_wrong_noise_is_not_cancelled(exact_device, problem):
    pub, expected = problem
    right = stacked("pec(samples=300)", exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    guessed = stacked("pec(samples=300)", exact_device(build(NOISE)), depolarizing(0.08))
    wrong = guessed.run([pub]).result()[0].data.evs
    assert rms(wrong - expected) > 3 * rms(right - expected)


def test_too_much_noise_to_cancel_is_refused_before_anything_runs(exact_device, problem):
    device = exact_device(build(NOISE))
    with pytest.raises(MitigationError, match=r"γ² = .* max_overhead is 1\.1"):
        stacked("pec(max_overhead=1.1)", device).run([problem[0]])
    assert device.jobs_run == []


def test_cancellation_without_a_known_noise_is_refused():
    with pytest.raises(MitigationError, match="calibrated or stated noise"):
        mitigation_wrappers(parse_mitigation("pec"), MitigatedDevice(TARGET))


@pytest.mark.parametrize("mitigation", ["pec(samples=20)", "readout+pec(samples=20)"])
def test_what_is_counted_is_what_runs(mitigation, make_circuit, values_for):
    circuit = make_circuit(2)
    observables = [["ZI"], [{"XX": 1.0, "IZ": 0.5}]]
    backend = open_backend("noisy:depolarizing(0.01)", shots=100, seed=1, mitigation=mitigation)
    pub = (circuit, observables, values_for(circuit, (3,)))
    (level,) = backend.preflight({"c": pub[:2]}, 3, mitigations=[mitigation]).levels
    metadata = backend.estimator().run([pub]).result()[0].metadata
    counted = metadata["executions"] + metadata["calibration_executions"]
    assert level.executions == counted
    assert level.circuits == metadata["circuits"] + metadata["calibration_circuits"]


def test_an_outline_has_the_pubs_that_run(exact_device, problem):
    pec = stacked("pec(samples=30)", exact_device(build(NOISE)))
    pub = EstimatorPub.coerce((*problem[0], 0.05))
    if isinstance(pec, Compiled):
        pub = next(pec.plan([Call((pub,))])).pubs[0]
        pec = pec.inner
    for outlined, run in zip(pec.outline(pub).pubs, pec.expand(pub).pubs, strict=True):
        assert (outlined.shape, outlined.precision) == (run.shape, run.precision)
        assert outlined.parameter_values.shape == run.parameter_values.shape
        assert outlined.observables.shape == run.observables.shape
        assert outlined.circuit.count_ops() == run.circuit.count_ops()


def test_errors_hold_those_of_the_circuit_itself_and_the_spread_of_the_others(exact_device):
    pec = ErrorCancelled(exact_device(build(NOISE)), lambda _: NOISE, samples=30)
    pub = EstimatorPub.coerce((entangled(2), "ZZ", [[0.2], [0.9]], 0.02))
    expansion = pec.expand(pub)
    others = np.random.default_rng(2).uniform(-1, 1, expansion.pubs[1].shape)

    def combined(alone, error):
        runs = [answered(np.full(2, alone), np.full(2, error)), answered(others, 0 * others)]
        return expansion.combine(runs, None, []).data

    by_value = (combined(0.4, 0.0).evs - combined(0.3, 0.0).evs) / 0.1
    spread = combined(0.3, 0.0).stds
    assert (spread > 0).all()
    stated = combined(0.3, 5.0).stds
    np.testing.assert_allclose(stated, np.hypot(by_value * 5.0, spread))
    assert (stated > 1.01 * spread).all()


def test_the_circuit_itself_and_the_random_ones_share_the_shots(exact_device):
    pec = ErrorCancelled(exact_device(build(NOISE)), lambda _: NOISE, samples=30)
    assert pec._shares(1000, 2.0, 0.4) == (800, 40, 30)  # 800 + 30 · 40 = 2 · 1000
    assert pec._shares(10, 1.2, 0.8) == (10, 1, 2)
