"""The common part of the mitigating estimators: shapes, precisions, and what is remembered."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import build
from tests.backends.mitigation.circuits import NOISE, SILENT, entangled, stacked


@pytest.mark.parametrize(
    ("mitigation", "pubs"),
    [
        pytest.param("pec", 2, marks=pytest.mark.slow),
        ("cdr", 2),
        pytest.param("learned-zne", 6, marks=pytest.mark.slow),
    ],
)
def test_sampled_and_training_circuits_are_rows_of_templates(
    mitigation, pubs, exact_device, problem
):
    device = exact_device(build(NOISE))
    estimator = stacked(mitigation, device)
    estimator.run([problem[0]]).result()
    assert sum(len(job) for job in device.jobs_run) == len(device.templates) == pubs
    before = len(device.jobs_run)
    estimator.run([problem[0]]).result()
    later = sum(len(job) for job in device.jobs_run[before:])
    assert later == {"pec": 2, "cdr": 1, "learned-zne": 3}[mitigation]  # training is remembered


@pytest.mark.parametrize("mitigation", ["pec", "twirling"])
def test_a_pub_without_precision_is_refused(mitigation, exact_device):
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    estimator = stacked(mitigation, exact_device(build(NOISE))).inner
    with pytest.raises(MitigationError, match="needs shots or a precision"):
        estimator.run([(circuit, "ZZ")])


@pytest.mark.slow
def test_pairs_of_rows_and_observables_stay_pairs(exact_device, make_circuit, values_for, exact):
    circuit = make_circuit()
    values = values_for(circuit, (2, 3))
    observables = ["ZII", SparsePauliOp(["XII", "IIZ"], [1.0, 2.0]), "IYZ"]
    expected = exact(circuit, observables, values)
    for mitigation in ("zne", "cdr", "learned-zne", "pec(samples=500)", "twirling"):
        device = exact_device(build(SILENT if mitigation == "learned-zne" else NOISE))
        found = stacked(mitigation, device).run([(circuit, observables, values)]).result()[0].data
        assert found.evs.shape == found.stds.shape == (2, 3)
        np.testing.assert_allclose(found.evs, expected, atol=0.08)


def test_training_is_planned_once_and_no_more_when_it_is_remembered(exact_device):
    estimator = stacked("cdr", exact_device(build(NOISE))).inner
    pub = EstimatorPub.coerce((entangled(2), "ZZ", [[0.2]], 0.05))

    def planned():
        calls = estimator.plan([Call((pub, pub)), Call((pub,))])
        return [(call.calibration, len(call.pubs)) for call in calls]

    assert planned() == [(True, 1), (False, 2), (False, 1)]
    estimator.run([pub]).result()
    assert planned() == [(False, 2), (False, 1)]


def test_what_was_learned_first_is_forgotten_first(exact_device, monkeypatch):
    monkeypatch.setattr("qvlm_qiskit.backends.mitigation.mitigator.MAX_MODELS", 1)
    estimator = stacked("cdr", exact_device(build(NOISE))).inner
    first, second = (
        EstimatorPub.coerce((entangled(2), observable, [[0.2]], 0.05))
        for observable in ("ZZ", "XZ")
    )
    for pub in (first, second):
        estimator.run([pub]).result()
    calls = [
        [call.calibration for call in estimator.plan([Call((pub,))])] for pub in (second, first)
    ]
    assert calls == [[False], [True, False]]
