"""Pubs that ask for nothing, in front of every stack."""

import numpy as np
import pytest
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.work import Call

STACKS = [
    ("statevector", {}),
    ("statevector", {"shots": 100}),
    ("aer", {}),
    ("aer", {"shots": 100}),
    ("noisy:depolarizing(0.01)", {"precision": 0}),
    ("noisy:depolarizing(0.01)", {"shots": 100, "method": "aer"}),
    ("noisy:depolarizing(0.01)", {"shots": 100, "mitigation": "readout+cdr"}),
    ("noisy:depolarizing(0.01)", {"shots": 100, "mitigation": "auto"}),
    ("noisy:depolarizing(0.01)", {"shots": 100, "mitigation": "zne"}),
    ("fake_manila", {"shots": 100}),
    ("fake_manila", {"shots": 100, "mitigation": "resilience-1"}),
]


@pytest.mark.parametrize(("name", "options"), STACKS)
def test_nothing_is_answered_in_the_shape_that_was_asked(name, options, make_circuit):
    circuit = make_circuit(2)
    none = np.zeros((0, circuit.num_parameters))
    asked = [(circuit, "ZI", none), (circuit, [["ZI"], ["XX"], ["IY"]], none)]
    estimator = open_backend(name, seed=1, **options).estimator()
    result = estimator.run(asked).result()
    shapes = [(r.data.shape, r.data.evs.shape, r.data.stds.shape) for r in result]
    assert shapes == [((0,),) * 3, ((3, 0),) * 3]
    assert len(estimator.run([]).result()) == 0


@pytest.mark.parametrize("mitigation", ["none", "readout+zne"])
def test_nothing_beside_something_costs_nothing(mitigation, make_circuit):
    circuit = make_circuit(2)
    none = np.zeros((0, circuit.num_parameters))
    one = np.ones(circuit.num_parameters)
    backend = open_backend("noisy:depolarizing(0.01)", shots=100, seed=1, mitigation=mitigation)
    alone = backend.estimator().run([(circuit, "ZI", one)]).result()
    pubs = [(circuit, "XX", none), (circuit, "ZI", one), (circuit, "XX", none)]
    beside = backend.estimator().run(pubs).result()
    assert beside[1].data.evs == alone[0].data.evs
    assert [r.metadata["executions"] > 0 for r in beside] == [False, True, False]


def test_nothing_is_planned_for_nothing(make_circuit):
    circuit = make_circuit(2)
    none = EstimatorPub.coerce((circuit, "ZI", np.zeros((0, circuit.num_parameters))))
    estimator = open_backend("noisy:depolarizing(0.01)", shots=100).estimator()
    assert list(estimator.plan([Call((none,))])) == []
