import sys

import numpy as np
import pytest

from qvlm_qiskit.errors import InputError, MissingDependencyError, UnknownNameError
from qvlm_qiskit.studies.kernels.data import classes_of, numbers_of


@pytest.mark.parametrize("name", ["ad-hoc", "breast-cancer", "digits:3-8"])
def test_sets_are_split_and_scaled(name):
    found = classes_of(name, 2, 40, 0)
    assert len(found.points) == len(found.targets) == 40 == len(found.test_points)
    assert found.points.shape[1] == 2
    assert set(found.targets) == set(found.test_targets) == {0, 1}
    both = np.concatenate([found.points, found.test_points])
    assert both.min() >= 0 and both.max() <= 2 * np.pi + 1e-12
    seen = {tuple(row) for row in found.points}
    assert not seen & {tuple(row) for row in found.test_points}
    other = classes_of(name, 2, 40, 1)
    assert not np.array_equal(found.points, other.points)


def test_components_know_nothing_of_the_points_to_test_with():
    found, more = (classes_of("digits:3-8", 3, count, 0) for count in (100, 200))
    assert found.points.min() == pytest.approx(0) and found.points.max() == pytest.approx(2 * np.pi)
    assert len(more.points) == 200 and len(more.test_points) == 157


@pytest.mark.parametrize("name", ["diabetes", "star98"])
def test_regression_sets_keep_rows_to_test_with(name):
    found = numbers_of(name, 6, 2000, 0)
    assert len(found.test_points) >= 100 and found.points.shape[1] == 6
    if name == "star98":
        assert 0 < found.targets.min() < found.targets.max() < 1


def test_what_is_no_set_is_refused(monkeypatch):
    for name, error, says in (
        ("digit:3-8", UnknownNameError, "did you mean 'digits:3-8'"),
        ("digits:3-3", InputError, "one class only"),
    ):
        with pytest.raises(error, match=says):
            classes_of(name, 2, 20, 0)
    with pytest.raises(InputError, match="10 columns: not 11 components"):
        numbers_of("diabetes", 11, 20, 0)
    with pytest.raises(UnknownNameError, match="did you mean 'diabetes'"):
        numbers_of("diabete", 2, 20, 0)
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    with pytest.raises(MissingDependencyError, match=r"star98 needs statsmodels: .*\[causal\]"):
        numbers_of("star98", 2, 20, 0)
