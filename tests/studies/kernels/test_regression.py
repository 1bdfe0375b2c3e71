import pytest
from sklearn.base import clone

from qvlm_qiskit.studies.kernels.data import numbers_of
from qvlm_qiskit.studies.kernels.regression import (
    MODELS,
    candidates,
    hidden_units,
    trained_numbers,
)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_values_to_choose_among(model):
    estimator, values = candidates(model, 6, 3)
    for name, tried in values.items():
        clone(estimator).set_params(**{name: tried[0]})
        assert len(tried) > 2


def test_the_tanh_net_has_as_many_numbers_as_the_qnn():
    split = numbers_of("diabetes", 3, 30, 0)
    qnn = candidates("qnn", 3, 0)[0].set_params(steps=1, scale=0.03)
    assert qnn.fit(split.points, split.targets).trained_ == trained_numbers(3) == 16
    (hidden,) = hidden_units(3)
    assert abs(hidden * (3 + 2) + 1 - 16) <= (3 + 2) / 2
