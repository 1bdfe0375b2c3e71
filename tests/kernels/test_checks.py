import numpy as np
import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels.checks import points, training_labels, training_numbers

ROWS = np.eye(3)


def test_what_is_accepted_comes_back_as_arrays():
    assert points([[1, 2]]).dtype == np.float64
    found, labels = training_labels(ROWS, ["a", "b", "a"])
    assert found.shape == (3, 3) and list(labels) == ["a", "b", "a"]
    assert training_numbers(ROWS, [1, 2, 3])[1].dtype == np.float64


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: points(ROWS, 2), "points of 2 features were learned, got 3"),
        (lambda: points(ROWS, least=4), "minimum of 4"),
        (lambda: training_labels(ROWS, [1, 1, 1]), "one class only, 1:"),
        (lambda: training_labels(ROWS, [0.5, 1.5, 2.5]), "Unknown label type"),
        (lambda: training_labels(ROWS, [0, 1]), "inconsistent numbers of samples"),
        (lambda: training_labels(ROWS[:1], [0]), "minimum of 2"),
        (lambda: training_numbers(ROWS, [0, 1, np.nan]), "NaN"),
        (lambda: training_numbers(ROWS, ["a", "b", "c"]), "could not convert"),
        (lambda: training_numbers(np.full((3, 3), np.inf), [0, 1, 2]), "NaN|infinity"),
    ],
)
def test_everything_else_is_refused_in_one_line(call, says):
    with pytest.raises(InputError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
