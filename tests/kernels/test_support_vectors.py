"""Support vector machines: scikit-learn's solver, a quantum kernel, and as few rows as suffice."""

import numpy as np
import pytest
from qiskit_machine_learning.algorithms import QSVC, QSVR
from qiskit_machine_learning.kernels import FidelityStatevectorKernel
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import QuantumSVC, QuantumSVR, havlicek


def test_the_classifier_is_qiskits(rows, labels, others):
    slow = QSVC(quantum_kernel=FidelityStatevectorKernel(feature_map=havlicek(3)), C=3.0)
    slow.fit(rows, labels)
    found = QuantumSVC(C=3.0).fit(rows, labels)
    np.testing.assert_allclose(
        found.decision_function(others), slow.decision_function(others), atol=1e-4
    )
    assert list(found.predict(others)) == list(slow.predict(others))
    assert list(found.classes_) == ["high", "low"]


def test_the_regressor_is_qiskits(rows, numbers, others):
    kernel = FidelityStatevectorKernel(feature_map=havlicek(3))
    slow = QSVR(quantum_kernel=kernel, C=3.0, epsilon=0.01).fit(rows, numbers)
    found = QuantumSVR(C=3.0, epsilon=0.01).fit(rows, numbers)
    np.testing.assert_allclose(found.predict(others), slow.predict(others), atol=1e-3)


def test_a_machine_is_asked_for_support_vectors_alone(rows, numbers, others, counting_statevector):
    learned = QuantumSVR(
        "resource-efficient", epsilon=0.3, scale=0.5, backend=counting_statevector
    ).fit(rows, numbers)
    counting_statevector.calls.clear()
    found = learned.predict(others)
    ((pubs, _),) = counting_statevector.calls
    support = len(learned.machine_.support_)
    assert pubs[0][2].shape == (4 * support,)
    assert 0 < support < 12
    exact = QuantumSVR("resource-efficient", epsilon=0.3, scale=0.5).fit(rows, numbers)
    np.testing.assert_allclose(found, exact.predict(others), atol=1e-5)


@pytest.mark.parametrize("power", [-500, -40, 40, 500])
def test_the_unit_of_the_targets_changes_nothing(rows, numbers, others, power):
    """By itself the solver's tolerance is 0.001 in it: never reached by 1e16, at once by 1e-9."""
    plain = QuantumSVR(C=8.0, epsilon=0.01).fit(rows, numbers).predict(others)
    unit = 2.0**power
    made = QuantumSVR(C=8.0 * unit, epsilon=0.01 * unit).fit(rows, numbers * unit)
    np.testing.assert_allclose(made.predict(others) / unit, plain, atol=5e-3)
    assert np.ptp(plain) > 0.1


def test_constants_far_from_the_targets_are_refused(rows, numbers):
    with pytest.raises(InputError, match=r"C=1.0 and epsilon=0.1 are far from the targets"):
        QuantumSVR().fit(rows, numbers * 1e-310)


def test_targets_within_epsilon_need_no_machine(rows, others):
    learned = QuantumSVR(epsilon=5.0).fit(rows, np.linspace(0, 1, 12))
    assert not len(learned.machine_.support_)
    assert np.ptp(learned.predict(others)) == 0


def test_they_are_scikit_learns_estimators(rows, labels):
    made = clone(QuantumSVC("resource-efficient", C=2.0, scale=(1.0, 0.5, 2.0)))
    assert made.get_params()["scale"] == (1.0, 0.5, 2.0) and made.C == 2.0
    found = GridSearchCV(QuantumSVC("resource-efficient"), {"scale": [0.3, 1.0]}, cv=2)
    assert found.fit(rows, labels).best_score_ > 0.5


def test_what_they_cannot_learn_is_refused(rows, labels):
    with pytest.raises(InputError, match="one class only"):
        QuantumSVC().fit(rows, ["a"] * 12)
    with pytest.raises(InputError, match="minimum of 2"):
        QuantumSVR().fit(rows[:1], [1.0])
    with pytest.raises(InputError, match="NaN"):
        QuantumSVC().fit(rows * np.nan, labels)
    with pytest.raises(InputError, match=r"The 'C' parameter of SVC .* Got 0 instead"):
        QuantumSVC(C=0).fit(rows, labels)
    with pytest.raises(InputError, match=r"The 'epsilon' parameter of SVR .* Got -1 instead"):
        QuantumSVR(epsilon=-1).fit(rows, np.arange(12.0))
    learned = QuantumSVC("resource-efficient").fit(rows, labels)
    with pytest.raises(InputError, match="points of 3 features were learned, got 2"):
        learned.predict(rows[:, :2])


def test_a_constant_that_is_none_is_refused_before_anything_is_measured(
    rows, labels, counting_statevector
):
    with pytest.raises(InputError):
        QuantumSVC(C=-1.0, backend=counting_statevector).fit(rows, labels)
    assert counting_statevector.calls == []


@pytest.mark.parametrize("kind", [QuantumSVC, QuantumSVR])
def test_before_fit_there_is_nothing_to_predict_with(kind):
    with pytest.raises(NotFittedError):
        kind().predict(np.eye(2))
