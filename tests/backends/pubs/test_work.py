"""Calls and circuits that are planned and not run."""

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.work import Call, StatesWork, Work

PUB = EstimatorPub.coerce((QuantumCircuit(1), "Z", None, 0.1))


def test_executions_are_circuits_times_shots():
    assert Work(QuantumCircuit(1), circuits=3, shots=50).executions == 150


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("now", [False, True])
def test_a_calibration_stays_one_and_the_block_its_own(before, now):
    call = Call((PUB,), "mine", before).with_pubs([PUB, PUB], calibration=now)
    assert call == Call((PUB, PUB), "mine", before or now)


def test_a_device_that_states_its_work_runs_as_much():
    device = open_backend("noisy:fake_manila", shots=100, seed=1, method="aer").device
    assert isinstance(device, StatesWork)
    assert not isinstance(StatevectorEstimator(), StatesWork)
    backend = open_backend("noisy:fake_manila", shots=100, seed=1, method="aer")
    compiled = backend.compile(QuantumCircuit(1), ["Z"])
    pub = EstimatorPub.coerce((compiled.circuit, compiled.observables, None, 0.1))
    ((work,),) = device.jobs([pub])
    assert work.executions == device.run([pub]).result()[0].metadata["executions"] == 100
