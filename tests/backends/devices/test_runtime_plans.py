"""Planning from one row of every pub counts what the client's program of all rows holds."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends.devices.runtime import LocalRuntimeEstimator
from qvlm_qiskit.backends.devices.runtime_plans import RuntimePlans, one_row


def pub(rows, observables, parameters=("a", "b")):
    circuit = QuantumCircuit(5)
    for name in parameters:
        circuit.rz(Parameter(name), 0)
        circuit.sx(0)
    circuit.cx(0, 1)
    values = np.random.default_rng(0).normal(size=(*rows, len(parameters)))
    padded = np.vectorize(lambda letters: letters.rjust(5, "I"), otypes=[object])(observables)
    return EstimatorPub.coerce((circuit, padded, values, 0.1))


@pytest.mark.parametrize(
    "pubs",
    [
        [pub((7,), [["ZZ"], ["XX"]])],
        [pub((2, 3), "ZI"), pub((4,), [["ZZ"], ["IZ"]])],
        [pub((2, 3), ["ZZ", "XX", "YY"])],  # columns meet different bases: taken whole
        [pub((), ["ZZ", "XX"])],
        [pub((1,), "ZZ", ())],
    ],
)
@pytest.mark.parametrize("level", [0, 1])
def test_one_row_stands_for_all(pubs, level):
    estimator = LocalRuntimeEstimator(FakeManilaV2(), resilience_level=level)
    (planned,) = estimator.jobs(pubs)
    whole = estimator._prepared((0, 1), pubs)
    assert [(w.circuits, w.shots, w.calibration) for w in planned] == [
        (w.circuits, w.shots, w.calibration) for w in whole
    ]


def test_what_differs_by_its_rows_only_is_prepared_once():
    plans, asked = RuntimePlans(), []
    estimator = LocalRuntimeEstimator(FakeManilaV2())

    def prepared(pubs):
        asked.append([one.shape for one in pubs])
        return estimator._prepared((0, 1), pubs)

    circuits = [
        sum(work.circuits for work in plans.work([one], prepared))
        for one in (pub((7,), ["ZZ"]), pub((3,), ["ZZ"]), pub((3,), ["XX"]))
    ]
    assert circuits == [7, 3, 3]
    assert asked == [[(1,)], [(1,)]]


def test_rows_that_meet_observables_of_their_own_are_not_cut():
    paired, none = pub((3,), ["ZZ", "XX", "YY"]), pub((0,), "ZZ")
    assert one_row(paired) == (paired, 1)
    assert one_row(none) == (none, 1)
    cut, rows = one_row(pub((4, 1), ["ZZ", "XX", "YY"]))
    assert (cut.shape, rows) == ((1, 3), 4)
    np.testing.assert_array_equal(
        cut.parameter_values.as_array().ravel(),
        pub((4, 1), "ZZ").parameter_values.as_array()[0].ravel(),
    )
