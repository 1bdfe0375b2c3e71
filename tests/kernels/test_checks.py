import inspect

import numpy as np
import pytest
import torch

from qvlm_qiskit import kernels
from qvlm_qiskit.errors import InputError, QVLMError
from qvlm_qiskit.kernels.checks import points, scaled, training_labels, training_numbers

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


WRONG = [
    None, True, "a", np.nan, np.inf, -1, 10**400, 10**5000, 1j, object(), {}, [10**400] * 3,
    np.zeros((2, 2)), np.array(["parity", "x"]), np.array(3), torch.ones(2), kernels.QuantumKernel,
]  # fmt: skip
POINTS = np.random.default_rng(0).uniform(0.2, 2.5, (12, 3))
NUMBERS = 10 + np.sin(POINTS[:, 0])
LABELS = NUMBERS > NUMBERS.mean()
FEW = {"feature_map": "resource-efficient"}


def learned(kind, targets, **few):
    return kind, lambda made: made.fit(POINTS, targets).predict(POINTS[:2]), {**FEW, **few}


CALLS = {
    "kernel": (kernels.QuantumKernel, lambda made: made(POINTS), FEW),
    "plan": (kernels.QuantumKernel, lambda made: made.plan(POINTS), FEW),
    "gaussian": (kernels.GaussianKernel, lambda made: made(POINTS), {}),
    "copied": (kernels.CopiedKernel, lambda made: made(POINTS[:, :1]), {}),
    "classifier": learned(kernels.QuantumSVC, LABELS),
    "regressor": learned(kernels.QuantumSVR, NUMBERS),
    "forest of labels": learned(kernels.QuantumForestClassifier, LABELS, trees=2),
    "forest of numbers": learned(kernels.QuantumForestRegressor, NUMBERS, trees=2),
    "variational": learned(kernels.VariationalRegressor, NUMBERS, layers=1, steps=1),
    "test": (kernels.independence_pvalue, None, {"x": NUMBERS, "y": POINTS[:, 1]}),
    "search": (kernels.discover, None, {"data": POINTS[:, :2]}),
    "data": (kernels.ad_hoc_data, None, {"count": 4}),
    "align": (
        kernels.align, None,
        {"kernel": kernels.GaussianKernel(), "X": POINTS, "y": LABELS, "steps": 1},
    ),
    "alignment": (
        kernels.target_alignment, None, {"matrix": torch.eye(3), "targets": torch.ones(3)}
    ),
    "concentration": (kernels.concentration, None, {}),
    "random states": (kernels.of_random_states, None, {}),
    "havlicek": (kernels.havlicek, None, {"features": 2}),
    "resource-efficient": (kernels.resource_efficient, None, {"features": 2}),
    "map": (kernels.feature_map, None, {"name": "havlicek", "features": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_whatever_arrives_is_taken_or_refused_in_one_short_line(name):
    """Every parameter of everything public here, one at a time."""
    make, use, usual = CALLS[name]
    for parameter in inspect.signature(make).parameters:
        for wrong in WRONG:
            try:
                made = make(**{**usual, parameter: wrong})
                found = made if use is None else use(made)
            except QVLMError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 500
            else:
                assert found is not None, (parameter, wrong)


def test_everything_public_is_among_those_calls():
    named = {call[0].__name__ for call in CALLS.values()}
    results = {"AdHocData", "Alignment", "Concentration", "Discovery", "KernelPlan", "FEATURE_MAPS"}
    assert named | results == set(kernels.__all__)


def test_scaled_values_are_the_same_numbers():
    table = np.array([[3.0, -1e300], [1e-9, 0.0]])
    found, exponents = scaled(table)
    np.testing.assert_array_equal(np.ldexp(found, exponents), table)
    assert np.abs(found).max(axis=0) == pytest.approx([0.75, 0.7], abs=0.25)
    assert scaled(np.zeros(3))[1] == 0
    assert np.isfinite(scaled(np.array([1.7e308, 5e-324]))[0]).all()
