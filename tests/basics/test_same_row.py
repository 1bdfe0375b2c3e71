"""When two rows are the same: to the last bit, on the grid, or within a tolerance on angles."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit import open_backend
from qvlm_qiskit.basics.same_row import (
    GRID,
    SAME_ROW,
    distinct,
    largest_rate,
    on_grid,
    parameter_tolerance,
)
from qvlm_qiskit.quantum import QuantumLayer, make_qnn

TINY = np.finfo(float).smallest_subnormal
STEEP = {
    "1e6·x": (lambda x: 1e6 * x, [0.0, 4e-7, 9e-7, -4e-7]),
    "x⁷": (lambda x: x**7, [9.0, 9.0 + 4e-7, 9.0 - 4e-7]),
    "exp(x)": (lambda x: x.exp(), [15.0, 15.0 + 4e-7, 15.0 - 4e-7]),
    "x/1e-3": (lambda x: x / 1e-3, [0.0, 4e-7, TINY, -TINY]),
    "x": (lambda x: x, [0.0, -0.0, TINY, 1e-300, 4e-7]),
}


@pytest.mark.parametrize("machine", [StatevectorEstimator, lambda: open_backend("aer")])
@pytest.mark.parametrize("name", STEEP)
def test_an_exact_machine_tells_every_two_rows_apart(name, machine):
    x, (angle, values) = Parameter("x"), STEEP[name]
    circuit = QuantumCircuit(1)
    circuit.rx(angle(x), 0)
    layer = QuantumLayer(make_qnn(circuit, [x], [])).double()
    rows = torch.tensor(values, dtype=torch.float64)[:, None]
    expected = [
        StatevectorEstimator().run([(circuit, "Z", [v])]).result()[0].data.evs for v in values
    ]
    with layer.run_on(machine()), torch.no_grad():
        found = layer(torch.cat([rows, rows]))
    np.testing.assert_allclose(found.numpy().ravel(), [*expected, *expected], atol=1e-12)


def test_rows_are_distinct_to_the_last_bit_and_in_ascending_order():
    rows = np.array([[2.0, 1.0], [0.0, TINY], [0.0, 0.0], [2.0, 1.0], [-0.0, 0.0], [0.0, TINY]])
    found, places = distinct(rows)
    assert len(found) == 4
    assert found[places].tobytes() == rows.tobytes()
    assert np.array_equal(found, found[np.lexsort(found.T[::-1])])


def test_rows_with_nan_are_equal_to_nothing_and_disturb_no_other():
    rows = np.array([[1.0, 2.0], [np.nan, 0.0], [1.0, 2.0], [np.nan, 0.0], [0.0, np.nan]])
    found, places = distinct(rows)
    assert len(found) == 4
    assert found[places].tobytes() == rows.tobytes()


def test_rows_without_parameters_are_one_row():
    found, places = distinct(np.zeros((3, 0)))
    assert found.shape == (1, 0)
    assert places.tolist() == [0, 0, 0]


def test_values_are_on_the_grid_and_zero_has_one_sign():
    values = np.random.default_rng(3).uniform(-7, 7, (5, 4))
    grid = on_grid(values)
    assert np.all(np.abs(grid - values) <= GRID / 2)
    assert np.array_equal(grid, on_grid(grid))
    assert np.array_equal(grid / GRID, np.round(grid / GRID))
    assert on_grid(np.array([-1e-9])).tobytes() == np.array([0.0]).tobytes()


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_the_step_of_the_grid_stays_where_angles_grow_no_faster_than_parameters(rate):
    values = np.random.default_rng(1).uniform(-7, 7, 20)
    assert on_grid(values, rate).tobytes() == on_grid(values).tobytes()


@pytest.mark.parametrize("rate", [1.5, 2.0, 3.0, 1e6])
def test_the_grid_is_one_of_angles(rate):
    values = np.random.default_rng(2).uniform(-7, 7, 20)
    assert np.abs(rate * (on_grid(values, rate) - values)).max() <= GRID / 2 * (1 + 1e-6)


def test_where_a_rate_depends_on_values_they_stay_as_they_are():
    values = np.array([1 / 3, -0.0, TINY])
    assert on_grid(values, np.inf).tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("angle", "bound"),
    [(lambda x: x, SAME_ROW), (lambda x: 4 * x, SAME_ROW / 4), (lambda x: x**7, 0)],
)
def test_the_tolerance_is_one_of_angles(angle, bound):
    circuit = QuantumCircuit(1)
    circuit.rx(angle(Parameter("x")), 0)
    assert parameter_tolerance(circuit) == bound


@pytest.mark.parametrize(
    ("angle", "rate"),
    [
        (lambda x, y: x, 1.0),
        (lambda x, y: x + np.pi, 1.0),
        (lambda x, y: 3 * x - 2 * y, 5.0),
        (lambda x, y: 1e6 * x, 1e6),
        (lambda x, y: x * y, np.inf),
        (lambda x, y: x.sin(), np.inf),
    ],
)
def test_how_fast_an_angle_grows_with_a_parameter(angle, rate):
    x, y = Parameter("x"), Parameter("y")
    plain = QuantumCircuit(1)
    plain.rx(angle(x, y), 0)
    nested = QuantumCircuit(1)
    nested.append(plain.to_gate(), [0])
    assert largest_rate(plain) == largest_rate(nested) == rate
    delayed = QuantumCircuit(1)
    delayed.delay(x, 0, unit="s")
    assert largest_rate(delayed) == np.inf
    assert largest_rate(QuantumCircuit(1)) == 0.0
