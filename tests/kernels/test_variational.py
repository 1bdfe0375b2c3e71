"""Variational regressors against Qiskit's expectation values, and what they refuse."""

import numpy as np
import pytest
from qiskit.quantum_info import Statevector
from sklearn.base import clone

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.kernels import VariationalRegressor

FEW = {"feature_map": "resource-efficient", "scale": 0.5, "layers": 1, "steps": 15}


@pytest.fixture(scope="module", params=["parity", "linear"])
def learned(request, rows, numbers):
    return VariationalRegressor(readout=request.param, **FEW).fit(rows, numbers)


def test_answers_are_expectation_values_in_the_unit_of_the_targets(learned, others):
    network = learned.module_.layer.neural_network
    weights = learned.module_.layer.weight.detach().numpy()
    for point, answer in zip(others, learned.predict(others), strict=True):
        values = dict(zip([*network.input_params, *network.weight_params],
                          [*(0.5 * point), *weights], strict=True))  # fmt: skip
        state = Statevector(network.circuit.assign_parameters(values))
        read = np.array([state.expectation_value(o).real for o in network.observables])
        if learned.module_.head is not None:
            head = learned.module_.head
            read = read @ head.weight.detach().numpy()[0] + head.bias.detach().numpy()
        assert answer == pytest.approx(learned.centre_ + learned.unit_ * float(np.squeeze(read)))


def test_training_lowers_the_error(learned, rows, numbers):
    untrained = clone(learned).set_params(steps=1).fit(rows, numbers)
    assert learned.loss_ < 0.8 * untrained.loss_
    mean_square = np.mean((learned.predict(rows) - numbers) ** 2) / learned.unit_**2
    assert learned.loss_ == pytest.approx(mean_square)
    assert learned.trained_ == (4 if learned.readout == "parity" else 7)


@pytest.mark.parametrize("readout", ["parity", "linear"])
@pytest.mark.parametrize("power", [-1000, -530, 530, 1020])
def test_the_unit_of_the_targets_changes_nothing(rows, numbers, others, readout, power):
    """Squares of 1e±160 are no numbers."""
    few = {**FEW, "readout": readout, "steps": 3}
    plain = VariationalRegressor(**few).fit(rows, numbers).predict(others)
    found = VariationalRegressor(**few).fit(rows, np.ldexp(numbers, power)).predict(others)
    np.testing.assert_array_equal(found, np.ldexp(plain, power))


def test_targets_too_small_to_have_digits_are_refused(rows, numbers):
    with pytest.raises(InputError, match="have too few digits: choose another unit"):
        VariationalRegressor(**FEW).fit(rows, numbers * 1e-310)


def test_predictions_can_be_measured(learned, others, counting_statevector):
    exact = learned.predict(others)
    counting_statevector.calls.clear()
    measured = learned.set_params(backend=counting_statevector).predict(others)
    learned.set_params(backend=None)
    assert len(counting_statevector.calls) == 1
    np.testing.assert_allclose(measured, exact, atol=1e-6)


def test_what_cannot_be_learned_is_refused(rows, numbers):
    with pytest.raises(InputError, match="all targets are the same"):
        VariationalRegressor(**FEW).fit(rows, np.ones(12))
    for change, says in (
        ({"steps": 0}, "steps is a whole number of at least 1, got 0"),
        ({"layers": -1}, "layers is a whole number from 0 to 1000, got -1"),
        ({"random_state": "a"}, "random_state is a whole number of at least 0, got 'a'"),
        ({"scale": (1.0, 2.0)}, "one number or 3, one for each feature"),
        ({"feature_map": 3}, "feature_map is one of havlicek, resource-efficient, or a circuit"),
    ):
        with pytest.raises(InputError, match=says):
            VariationalRegressor(**{**FEW, **change}).fit(rows, numbers)
    with pytest.raises(UnknownNameError, match="unknown read-out 'parities'"):
        VariationalRegressor(readout="parities", **FEW).fit(rows, numbers)
    with pytest.raises(InputError, match="NaN"):
        VariationalRegressor(**FEW).fit(rows, numbers * np.nan)
