"""Zero-noise extrapolation: scale factors, weights, jobs and errors."""

from typing import ClassVar

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Compiled, Compiler, open_backend
from qvlm_qiskit.backends.mitigation import ZeroNoiseExtrapolated
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


@pytest.mark.parametrize("factors", [(1, 2, 3), (3, 5), (), (1, -1)])
def test_impossible_scale_factors_are_refused(factors):
    with pytest.raises(MitigationError, match="odd whole numbers"):
        ZeroNoiseExtrapolated(StatevectorEstimator(), factors)


def test_zero_noise_extrapolation_reduces_a_depolarizing_error(make_circuit, values_for, exact):
    circuit = make_circuit(layers=3)
    values = values_for(circuit, (12,))
    observables = [["ZII"], ["IZI"], ["IIZ"], ["ZZI"]]
    expected = exact(circuit, observables, values)
    errors = {}
    for mitigation in ("none", "zne"):
        backend = open_backend(
            "noisy:depolarizing(0.02,0)", shots=20_000, seed=7, mitigation=mitigation
        )
        result = backend.estimator().run([(circuit, observables, values)]).result()[0]
        errors[mitigation] = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert errors["zne"] < 0.5 * errors["none"]
    entry = result.metadata["mitigation"][0]
    assert (entry["technique"], entry["overhead"]) == ("zne", 3.0)
    assert entry["executions"] == 3 * 12 * 20_000


def test_errors_propagate_through_the_extrapolation():
    """The spread over repetitions is the stated standard error."""
    backend = open_backend("noisy:depolarizing(0.02)", shots=200, seed=1, mitigation="zne")
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    data = backend.estimator().run([(circuit, "ZI", np.full((400, 1), 1.1))]).result()[0].data
    assert np.std(data.evs) == pytest.approx(np.mean(data.stds), rel=0.15)


def test_all_scale_factors_run_in_one_inner_job():
    class Counting(StatevectorEstimator):
        jobs: ClassVar[list[list[int]]] = []

        def run(self, pubs, *, precision=None):
            pubs = list(pubs)
            self.jobs.append([pub.circuit.num_nonlocal_gates() for pub in pubs])
            return super().run(pubs, precision=precision)

    estimator = ZeroNoiseExtrapolated(Counting())
    results = estimator.run([(entangled(), "ZZZZ", [0.1]), (entangled(2), "ZZ", [0.2])]).result()
    assert Counting.jobs == [[3, 9, 15, 1, 3, 5]]
    assert len(results) == 2
    exact = StatevectorEstimator().run([(entangled(2), "ZZ", [0.2])]).result()[0].data.evs
    assert results[1].data.evs == pytest.approx(exact)


def test_an_exponential_is_extrapolated_exactly(exact_device):
    """Every cz keeps 1 − p of ZZ: an exponential in the noise factor with asymptote 0."""
    angle = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(angle, 0)
    circuit.cx(0, 1)
    circuit.cx(0, 1)
    noise = depolarizing(0.1, 0.0)
    pub = (circuit, [["IZ"], ["IX"], ["XI"]], [[0.3], [1.1], [2.8]])
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    estimator = ZeroNoiseExtrapolated(exact_device(build(noise)), (1, 3, 5), "exp")
    stack = Compiled(estimator, Compiler(TARGET, 0), default_precision=0.05)
    result = stack.run([pub]).result()[0]
    np.testing.assert_allclose(result.data.evs, expected, atol=1e-6)
    entry = result.metadata["mitigation"][0]
    # ⟨XI⟩ is 0 at every noise: no exponential runs through it
    assert (entry["exponential_values"], entry["linear_values"]) == (6, 3)
    linear = stacked("zne", exact_device(build(noise)), noise, level=0).run([pub])
    assert rms(linear.result()[0].data.evs - expected) > 0.005


def test_zero_noise_extrapolation_of_a_batch_is_one_job_of_three_circuits(
    exact_device, make_circuit, values_for
):
    circuit = make_circuit(layers=2)
    device = exact_device(build(NOISE))
    pub = (circuit, OBSERVABLES, values_for(circuit, (64,)))
    stacked("zne", device).run([pub]).result()
    (job,) = device.jobs_run
    assert len(job) == 3
    assert all(sent.parameter_values.shape == (64,) for sent in job)
    assert len(device.templates) == 3
    again = stacked("zne", device)
    again.run([pub]).result()
    again.run([(circuit, OBSERVABLES, values_for(circuit, (64,), seed=9))]).result()
    assert len(device.jobs_run) == 3
    assert len({id(sent.circuit) for sent in device.jobs_run[1] + device.jobs_run[2]}) == 3


def test_errors_pass_through_an_exponential_and_what_is_not_clear_is_linear():
    """Through two values and the asymptote 0 the limit is E₁·√(E₁/E₃)."""
    estimator = ZeroNoiseExtrapolated(StatevectorEstimator(), (1, 3), "exp")
    pub = EstimatorPub.coerce((QuantumCircuit(1), ["Z", "X", "Y", "Z"]))
    first, third = np.array([0.8, 0.8, -0.8, 0.2]), np.array([0.5, 0.02, -0.4, -0.1])
    error = np.full(4, 0.01)
    runs = [answered(first, error), answered(third, 2 * error)]
    found = estimator.expand(pub).combine(runs, None, [])
    entry = found.metadata["mitigation"][0]
    assert (entry["exponential_values"], entry["linear_values"]) == (2, 2)
    fitted, ratio = [0, 2], first / third
    limits = first[fitted] * np.sqrt(ratio[fitted])
    np.testing.assert_allclose(found.data.evs[fitted], limits, rtol=1e-5)
    stds = np.hypot(1.5 * ratio[fitted] ** 0.5 * 0.01, 0.5 * ratio[fitted] ** 1.5 * 0.02)
    np.testing.assert_allclose(found.data.stds[fitted], stds, rtol=1e-3)
    np.testing.assert_allclose(found.data.evs[[1, 3]], (1.5 * first - 0.5 * third)[[1, 3]])
