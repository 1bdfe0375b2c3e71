import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector
from scipy.stats import unitary_group

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import QuantumSVC, ad_hoc_data, havlicek


def test_labels_are_signs_of_a_random_observable_beyond_the_gap():
    data = ad_hoc_data(20, gap=0.3, seed=3)
    turn = unitary_group.rvs(4, random_state=np.random.default_rng(3))
    observable = Operator(turn).adjoint() @ Operator.from_label("ZZ") @ Operator(turn)
    values = [
        Statevector(havlicek(2).assign_parameters(x)).expectation_value(observable).real
        for x in data.points
    ]
    assert np.abs(values).min() > 0.3
    assert np.array_equal(np.array(values) > 0, data.labels == 1)
    assert data.labels.sum() == 10 and data.points.min() >= 0
    assert np.array_equal(ad_hoc_data(20, seed=3).points, data.points)
    assert not np.array_equal(ad_hoc_data(20, seed=4).points, data.points)


def test_the_kernel_that_made_them_tells_them_apart():
    data = ad_hoc_data(120, seed=0)
    learned = QuantumSVC(C=100).fit(data.points[:60], data.labels[:60])
    assert learned.score(data.points[60:], data.labels[60:]) > 0.95


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"count": 7}, "as many points of either class, got count=7"),
        ({"count": 4, "features": 9}, "features is a whole number from 1 to 8, got 9"),
        ({"count": 4, "gap": float("nan")}, "gap must be not negative and finite, got nan"),
        ({"count": 2.0}, "count is a whole number from 1 to 5000, got 2.0"),
        ({"count": 4, "seed": -1}, "seed is a whole number of at least 0, got -1"),
        ({"count": 4, "gap": 0.999}, "leaves too few points"),
        ({"count": 4, "gap": 1.0}, "the gap is below 1, the largest value there is; got 1.0"),
    ],
)
def test_what_cannot_be_made_is_refused(asked, says, monkeypatch):
    monkeypatch.setattr("qvlm_qiskit.kernels.ad_hoc.MOST_DRAWS", 5000)
    with pytest.raises(InputError, match=says):
        ad_hoc_data(**asked)
