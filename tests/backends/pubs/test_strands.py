"""Pubs of any shape as rows that meet equal observables, against the broadcast itself."""

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.strands import strands, woven

SHAPES = [
    ((), ()),
    ((5,), ()),
    ((), (3,)),
    ((1, 5), (3, 1)),
    ((4,), (4,)),
    ((2, 3), (3,)),
    ((2, 1, 3), (4, 1)),
    ((3, 2), (3, 1)),
]


@pytest.mark.parametrize(("rows", "observables"), SHAPES)
def test_what_strands_ask_is_what_the_pub_asks(rows, observables, make_circuit, values_for, exact):
    circuit = make_circuit(2)
    count = int(np.prod(observables, dtype=int))
    terms = np.array([{"ZI": 1.0 + i, "XX": 0.5 * i} for i in range(count)], dtype=object)
    asked = terms.reshape(observables) if observables else {"ZI": 1.0, "IY": 2.0}
    values = values_for(circuit, rows)
    pub = EstimatorPub.coerce((circuit, asked, values))
    answers = []
    for strand in strands(pub):
        part = strand.pub(pub)
        assert part.shape == (len(strand.observables), len(strand.rows)) == strand.outputs.shape
        evs = StatevectorEstimator().run([part]).result()[0].data.evs
        answers.append((strand, evs, 0.5 * evs))
    evs, stds = woven(pub, answers)
    np.testing.assert_allclose(evs, exact(circuit, asked, values), atol=1e-12)
    np.testing.assert_allclose(stds, 0.5 * evs)


def test_rows_of_equal_observables_are_one_strand_and_can_be_chosen(make_circuit, values_for):
    circuit = make_circuit(2)
    pub = EstimatorPub.coerce((circuit, [["ZI"], ["IZ"]], values_for(circuit, (6,))))
    (strand,) = strands(pub)
    some = strand.some([4, 1])
    assert some.rows.tolist() == [4, 1]
    assert some.outputs.tolist() == [[4, 1], [10, 7]]
    values = some.pub(pub).parameter_values.as_array(circuit.parameters)
    whole = pub.parameter_values.as_array(circuit.parameters)
    np.testing.assert_array_equal(values, whole[[4, 1]])
