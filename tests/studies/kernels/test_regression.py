import numpy as np
import pytest
from sklearn.base import clone

from qvlm_qiskit.studies.kernels.data import numbers_of
from qvlm_qiskit.studies.kernels.regression import (
    MODELS,
    candidates,
    hidden_units,
    trained_numbers,
)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_values_to_choose_among(model):
    estimator, values = candidates(model, 6, 3)
    made = clone(estimator)
    for name, tried in values.items():
        made.set_params(**{name: tried[1]})
    fewer = {"trees": 5, "n_estimators": 5}
    made.set_params(**{k: v for k, v in fewer.items() if k in made.get_params()})
    split = numbers_of("diabetes", 6, 30, 0)
    numbers = (split.targets - split.targets.mean()) / split.targets.std()
    answers = made.fit(split.points, numbers).predict(split.test_points)
    assert answers.shape == split.test_targets.shape and np.ptp(answers) > 0


def test_the_tanh_net_has_as_many_numbers_as_the_qnn():
    split = numbers_of("diabetes", 3, 30, 0)
    qnn = candidates("qnn", 3, 0)[0].set_params(steps=1, scale=0.03)
    assert qnn.fit(split.points, split.targets).trained_ == trained_numbers(3) == 16
    (hidden,) = hidden_units(3)
    assert abs(hidden * (3 + 2) + 1 - 16) <= (3 + 2) / 2
