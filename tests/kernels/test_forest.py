"""Forests on fidelities: what splits see, and who grows the trees."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import QuantumForestClassifier, QuantumForestRegressor, QuantumKernel

SMALL = {"landmarks": 5, "trees": 10, "random_state": 0}


def test_trees_ask_how_close_a_state_is_to_landmarks(rows, numbers, others):
    found = QuantumForestRegressor("resource-efficient", **SMALL).fit(rows, numbers)
    assert found.landmarks_.shape == (5, 3)
    assert all(any(np.array_equal(one, row) for row in rows) for one in found.landmarks_)
    kernel = QuantumKernel("resource-efficient")
    slow = RandomForestRegressor(
        10, max_features=1 / 3, random_state=found.forest_.random_state
    ).fit(kernel(rows, found.landmarks_), numbers)
    np.testing.assert_allclose(
        found.predict(others), slow.predict(kernel(others, found.landmarks_))
    )
    again = clone(found).fit(rows, numbers)
    np.testing.assert_array_equal(again.predict(others), found.predict(others))


@pytest.mark.parametrize("power", [-900, -30, 900])
def test_the_unit_of_the_targets_changes_nothing(rows, numbers, others, power):
    """By themselves scikit-learn's trees take a variance of 2e-16 for none, and square 1e160."""
    made = QuantumForestRegressor("resource-efficient", **SMALL)
    plain = made.fit(rows, numbers).predict(others)
    found = clone(made).fit(rows, np.ldexp(numbers, power)).predict(others)
    np.testing.assert_array_equal(found, np.ldexp(plain, power))
    assert np.ptp(plain) > 0


def test_it_learns_what_a_mean_does_not(rows, numbers):
    found = QuantumForestRegressor(scale=0.3, landmarks=12, trees=30, random_state=0)
    assert found.fit(rows, numbers).score(rows, numbers) > 0.5


def test_a_machine_is_asked_for_landmarks_alone(rows, labels, counting_statevector):
    made = QuantumForestClassifier("resource-efficient", backend=counting_statevector, **SMALL)
    made.fit(rows, labels)
    ((pubs, _),) = counting_statevector.calls
    assert pubs[0][2].shape == (7 * 5 + 5 * 4 // 2,)
    assert set(made.predict(rows)) <= {"high", "low"}
    assert list(made.classes_) == ["high", "low"]


def test_what_is_no_forest_is_refused(rows, labels, numbers):
    for change, says in (
        ({"landmarks": 0}, "landmarks is a whole number of at least 1, got 0"),
        ({"trees": 1.5}, "trees is a whole number from 1 to 100000, got 1.5"),
        ({"max_features": 2.5}, "The 'max_features' parameter"),
        ({"min_samples_leaf": 0}, "The 'min_samples_leaf' parameter"),
        ({"random_state": -1}, "Seed must be between 0"),
        ({"reps": 1.5}, "reps is a whole number from 1 to 1000, got 1.5"),
    ):
        with pytest.raises(InputError, match=says):
            QuantumForestRegressor(**{**SMALL, **change}).fit(rows, numbers)
    with pytest.raises(InputError, match="one class only"):
        QuantumForestClassifier(**SMALL).fit(rows, np.ones(12, dtype=int))
    with pytest.raises(InputError, match="3 features were learned, got 1"):
        QuantumForestClassifier(**SMALL).fit(rows, labels).predict(rows[:, :1])
