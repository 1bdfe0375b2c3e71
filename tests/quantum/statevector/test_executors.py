"""The promise of both executors, the compiled sweeps and torch: the same values and gradients.

No single module keeps it, so these tests stand alone.
"""

import numpy as np
import pytest
import torch

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.statevector.layered import (
    EXECUTORS,
    all_paulis,
    gradients_of,
    layered,
    running_on,
)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64])
def test_every_size_of_batch_gives_the_rows_one_by_one(size, executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    torch.manual_seed(size)
    inputs = torch.randn(size, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(6, dtype=torch.float64, requires_grad=True)
    outer = torch.randn(size, engine.num_observables, dtype=torch.float64)
    with running_on(executor):
        together = engine.expectations(inputs, weights)
        alone = torch.cat([engine.expectations(row[None], weights) for row in inputs])
        torch.testing.assert_close(together, alone, atol=1e-12, rtol=0)
        torch.testing.assert_close(
            torch.autograd.grad((together * outer).sum(), (inputs, weights)),
            torch.autograd.grad((alone * outer).sum(), (inputs, weights)),
            atol=1e-11,
            rtol=0,
        )


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("n", [6, 7, 8, 9])
def test_wide_circuits_equal_the_twin_and_the_parameter_shift_rule(n, executor, twin):
    circuit, parameters = layered(n)
    rng = np.random.default_rng(n)
    row = rng.uniform(-3, 3, len(parameters))
    chosen = rng.choice(len(parameters), 6, replace=False)
    observables = all_paulis(n)[:6]
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, n)
    values = torch.as_tensor(row)
    with running_on(executor):
        result = engine.expectations(values[None, :n], values[n:])
        blocks = torch.autograd.functional.jacobian(
            lambda x, w: engine.expectations(x[None], w)[0], (values[:n], values[n:])
        )
    expected = twin(circuit, observables, row[None], parameters)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-10, rtol=0)
    shift = np.eye(len(parameters))[chosen] * np.pi / 2
    shifted = twin(circuit, observables, np.concatenate([row + shift, row - shift]), parameters)
    np.testing.assert_allclose(
        torch.cat(blocks, -1).numpy()[:, chosen],
        (shifted[:6] - shifted[6:]).T / 2,
        atol=1e-10,
        rtol=0,
    )


@pytest.mark.parametrize("executor", EXECUTORS)
def test_single_precision_gradients_are_close(executor):
    circuit, parameters = layered(4, layers=2)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(4), 4)
    found = {}
    with running_on(executor):
        for dtype in (torch.float32, torch.float64):
            values, inputs, weights, outer = gradients_of(engine, dtype)
            (values * outer).sum().backward()
            assert inputs.grad.dtype == weights.grad.dtype == dtype
            found[dtype] = torch.cat([inputs.grad.reshape(-1), weights.grad]).double()
    torch.testing.assert_close(found[torch.float32], found[torch.float64], atol=3e-5, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_second_backward_pass_gives_the_same(executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    with running_on(executor):
        values, inputs, weights, outer = gradients_of(engine, torch.float64)
        loss = (values * outer).sum()
        first = torch.autograd.grad(loss, (inputs, weights), retain_graph=True)
        second = torch.autograd.grad(loss, (inputs, weights), retain_graph=True)
        (only_weights,) = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    torch.testing.assert_close(first[1], only_weights, atol=1e-12, rtol=0)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_visible_and_in_its_row(executor, bad):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    with running_on(executor):
        values, inputs, weights, _ = gradients_of(engine, torch.float32)
        spoilt = inputs.detach().clone()
        spoilt[2, 1] = bad
        others = [0, 1, 3, 4, 5]
        result = engine.expectations(spoilt, weights).detach()
        assert result[2].isnan().any()
        torch.testing.assert_close(result[others], values[others].detach(), atol=1e-6, rtol=0)
        outer = torch.ones_like(values)
        outer[2, 0] = bad
        values.backward(outer)
    assert not weights.grad.isfinite().all()
    assert not inputs.grad[2].isfinite().all()
    assert inputs.grad[others].isfinite().all()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_inputs_need_not_be_contiguous_and_are_left_alone(executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    wide = torch.randn(3, 10, dtype=torch.float64)
    weights = torch.randn(12, dtype=torch.float64)
    before = wide.clone(), weights.clone()
    with running_on(executor):
        values = engine.expectations(wide.T[::2], weights[::2])
        expected = engine.expectations(wide.T[::2].contiguous(), weights[::2].contiguous())
        expanded = engine.expectations(wide.T[:1].expand(4, 3), weights[::2])
    torch.testing.assert_close(values, expected, atol=0, rtol=0)
    torch.testing.assert_close(expanded, values[:1].expand(4, -1), atol=1e-12, rtol=0)
    torch.testing.assert_close((wide, weights), before, atol=0, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_empty_batch_has_no_values(executor):
    circuit, parameters = layered(2)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(2), 2)
    with running_on(executor):
        values = engine.expectations(torch.zeros(0, 2), torch.zeros(4))
    assert values.shape == (0, engine.num_observables)
