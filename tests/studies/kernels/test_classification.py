from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from qvlm_qiskit.studies.kernels.classification import (
    COSTS,
    GAUSSIAN_SCALES,
    _folds,
    chosen,
    classified,
    scales,
)
from qvlm_qiskit.studies.kernels.data import classes_of


@pytest.fixture(scope="module")
def split():
    return classes_of("digits:3-8", 2, 60, 0)


def test_the_gaussian_choice_is_scikit_learns(split):
    """One search over both constants, by the same folds."""
    grid = {"gamma": [s * s / 2 for s in GAUSSIAN_SCALES], "C": COSTS}
    slow = GridSearchCV(SVC(), grid, cv=_folds(0)).fit(split.points, split.targets)
    found = chosen(split, scales("rbf"), "rbf", 0)
    assert found.score == pytest.approx(slow.best_score_)


def test_what_is_published_has_no_choice_of_scale(small):
    found = classified("ad-hoc", "havlicek x 1", replace(small, points=60), 0)
    assert found["scale"] == 1.0
    assert found["accuracy"] > 0.9
    assert found["right"].count("1") == found["correct"] and len(found["right"]) == found["total"]


@pytest.mark.parametrize("model", ["havlicek aligned", "rbf aligned"])
def test_an_aligned_kernel_says_what_it_was_before(small, model):
    found = classified("digits:3-8", model, small, 0)
    assert found["alignment"]["seen"] > found["before"]["seen"]
    assert 0 <= found["accuracy"] <= 1 and np.isfinite(found["scale"])
