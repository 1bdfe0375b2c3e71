"""Circuits in parts between which nothing acts, against the whole."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.components import components, parts, together


def circuit():
    """Qubits 0-1, 2-4 and 5 interact; nothing acts on 3."""
    made, angles = QuantumCircuit(6), ParameterVector("t", 5)
    for qubit, angle in zip((0, 1, 2, 4, 5), angles, strict=True):
        made.ry(angle, qubit)
    made.cz(0, 1)
    made.barrier()
    made.cz(2, 4)
    return made


def test_components_follow_gates_and_not_barriers():
    assert components(circuit(), range(6)) == [(0, 1), (2, 4), (3,), (5,)]
    assert components(circuit(), [1, 2]) == [(1,), (2,)]
    assert components(circuit(), range(6), [(1, 2)]) == [(0, 1, 2, 4), (3,), (5,)]


def test_values_of_parts_are_those_of_the_whole():
    labels = ["IIIIIZ", "IIIIZZ", "IYIXII", "IIZIII", "XIIIII", "IIIIII"]
    values = np.random.default_rng(0).uniform(-3, 3, (4, 5))
    pub = EstimatorPub.coerce((circuit(), [[label] for label in labels], values, 0.1))
    split = parts(pub)
    assert [part.observables.tolist() for part in split] == [[0, 1, 5], [2], [3], [4]]
    estimator = StatevectorEstimator()
    answers = []
    for part in split:
        assert part.pub.precision == 0.1
        own = (part.pub.circuit, part.pub.observables, part.pub.parameter_values)
        evs = estimator.run([own]).result()[0].data.evs
        answers.append((evs, 3 * evs))
    evs, stds = together(pub, split, answers)
    whole = estimator.run([(pub.circuit, pub.observables, pub.parameter_values)]).result()[0]
    np.testing.assert_allclose(evs, whole.data.evs, atol=1e-12)
    np.testing.assert_allclose(stds, 3 * evs)


def test_what_acts_beside_the_gates_joins_parts():
    def written(source):
        copy = source.copy()
        copy.rzz(0.1, 1, 2)
        return copy

    pub = EstimatorPub.coerce((circuit(), [["IIIIIZ"], ["IIIZII"]], np.zeros((2, 5))))
    assert len(parts(pub)) == 2
    assert parts(pub, written)[0].pub.circuit.count_ops()["cz"] == 2


@pytest.mark.parametrize("observables", [[["ZIIIIZ"]], [[{"ZIIIII": 1.0, "IIIIIZ": 1.0}]]])
def test_an_observable_of_two_parts_joins_them(observables):
    pub = EstimatorPub.coerce((circuit(), observables, np.zeros((1, 5))))
    split = parts(pub)
    assert [len(part.observables) for part in split] == [1]
    assert split[0].pub.circuit.count_ops() == {"ry": 3, "cz": 1, "barrier": 1}


def test_one_part_or_another_shape_is_left_whole():
    pair = QuantumCircuit(2)
    pair.cz(0, 1)
    assert parts(EstimatorPub.coerce((pair, [["ZI"], ["IZ"]], np.zeros((3, 0))))) is None
    assert parts(EstimatorPub.coerce((QuantumCircuit(2), ["ZI", "IZ"]))) is None
