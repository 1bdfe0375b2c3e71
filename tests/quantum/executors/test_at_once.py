"""Whole calls by one kernel: the same as by the general way, which is the twin here."""

import copy
import threading

import numba
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.noise_models import parse_parametric
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from qvlm_qiskit.quantum.executors import at_once
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled here")
BASIS = ("ry", "rz", "rx", "h", "cx")
NOISE = parse_parametric("depolarizing(0.03,0.01)+amplitude_damping(0.05,0.02)", BASIS)
PRECISE = {torch.float32: 2e-6, torch.float64: 1e-13}


def varied(n, noisy):
    """Every kind of pass, and angles of inputs, of weights, of both, of sums and of numbers."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(x[q % 2] * 0.7 + w[0] - 0.2, q)
        circuit.rz(w[q % 3] + 2 * w[1], q)
    for q in range(1, n):
        circuit.cx(q - 1, q)
    circuit.h(0)
    circuit.rx(x[1] - x[0], 0)
    if not noisy and n > 1:
        circuit.rxx(x[0], 0, 1)
        circuit.crz(w[2], n - 1, 0)
        circuit.iswap(0, 1)
        circuit.cz(0, n - 1)
    return circuit, [*x, *w]


def engine_of(n, noisy):
    circuit, parameters = varied(n, noisy)
    observables = [SparsePauliOp("Z" * n) * 0.5, SparsePauliOp("X" + "I" * (n - 1))]
    if noisy:
        program = compile_noisy(circuit, NOISE.channels(), parameters)
        return DensityEngine(program, observables, 2)
    return StatevectorEngine(compile_circuit(circuit, parameters), observables, 2)


def in_general(engine, rows, weights, dtype):
    """By the executor's arrays."""
    if isinstance(engine, StatevectorEngine):
        return engine._affine_task(0, dtype, False).values(weights, rows, None)
    return engine._units.whole_calls(dtype, engine).task.values(weights, rows, None)


def made(size, rows_dtype=torch.float64, weights_dtype=torch.float64):
    torch.manual_seed(size)
    rows = torch.randn(size, 2, dtype=torch.float64).to(rows_dtype).requires_grad_()
    return rows, torch.randn(3, dtype=torch.float64).to(weights_dtype).requires_grad_()


def assert_same(found, expected, inputs, tolerance):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    assert found.dtype == expected.dtype
    outer = torch.linspace(-1, 2, found.numel(), dtype=found.dtype).reshape(found.shape)
    ours = torch.autograd.grad(found, inputs, outer, allow_unused=True)
    theirs = torch.autograd.grad(expected, inputs, outer, allow_unused=True)
    assert [g.dtype for g in ours] == [x.dtype for x in inputs]
    torch.testing.assert_close(ours, theirs, atol=10 * tolerance, rtol=10 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("n", "noisy"), [(1, False), (2, False), (4, False), (6, False), (2, True), (3, True)]
)
@pytest.mark.parametrize("size", [1, 3, 8, 11])
def test_values_and_gradients_are_those_of_the_general_way(n, noisy, size, dtype):
    engine, (rows, weights) = engine_of(n, noisy), made(size, dtype, dtype)
    found = engine.at_once(rows, weights, dtype)
    assert_same(found, in_general(engine, rows, weights, dtype), (rows, weights), PRECISE[dtype])


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("states", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows_dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weights_dtype", [torch.float32, torch.float64])
def test_tensors_may_be_of_other_precision_than_the_states(
    noisy, states, rows_dtype, weights_dtype
):
    engine, (rows, weights) = engine_of(2, noisy), made(3, rows_dtype, weights_dtype)
    found = engine.at_once(rows, weights, states)
    assert found.dtype == states
    assert_same(found, in_general(engine, rows, weights, states), (rows, weights), 2e-6)


@pytest.mark.parametrize("noisy", [False, True])
def test_tensors_and_gradients_lie_in_memory_as_they_like(noisy):
    engine, (rows, weights) = engine_of(3, noisy), made(5)
    wide = torch.full((3, 2, 15), 7.0, dtype=torch.float64)
    views = {
        "transposed": (rows.detach().T.contiguous().T, weights.detach()),
        "columns": (torch.stack([rows.detach()] * 3, dim=-1)[..., 1], weights.detach()),
        "reversed": (rows.detach(), weights.detach().flip(0).contiguous().flip(0)),
        "one row": (rows.detach()[:1].expand(5, 2), weights.detach()[:1].expand(3)),
        "every fifth": (rows.detach(), wide[:, 1, ::5][:, 0] * weights.detach()),
    }
    for name, (x, w) in views.items():
        x, w = x.requires_grad_(), w.requires_grad_()
        found = engine.at_once(x, w, torch.float64)
        expected = in_general(engine, x, w, torch.float64)
        assert_same(found, expected, (x, w), 1e-12)
        for outer in (torch.ones(()).double().expand(5, 2), torch.rand(2, 5).double().T):
            ours = torch.autograd.grad(engine.at_once(x, w, torch.float64), (x, w), outer)
            theirs = torch.autograd.grad(in_general(engine, x, w, torch.float64), (x, w), outer)
            torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0, msg=name)


def test_negated_numbers_of_complex_views_are_read_as_they_are():
    engine, (rows, weights) = engine_of(2, False), made(3)
    negated = torch.complex(rows.detach(), rows.detach()).conj().imag
    assert negated.is_neg()
    assert engine.at_once(negated, weights, torch.float64) is None
    torch.testing.assert_close(
        engine.expectations(negated, weights), engine.expectations(-rows, weights)
    )
    ones = torch.ones(3, 2, dtype=torch.float64)
    outer = torch.complex(ones, ones).conj().imag
    assert outer.is_neg()
    grad = torch.autograd.grad(engine.at_once(rows, weights, torch.float64), rows, outer)
    minus = torch.autograd.grad(engine.at_once(rows, weights, torch.float64), rows, -ones)
    torch.testing.assert_close(grad, minus)


@pytest.mark.parametrize("noisy", [False, True])
def test_results_belong_to_their_call(noisy):
    engine, (rows, weights) = engine_of(4, noisy), made(6)
    values = engine.at_once(rows, weights, torch.float64)
    kept = values.detach().clone()
    first = torch.autograd.grad(values.sum(), (rows, weights), retain_graph=True)
    copies = [gradient.clone() for gradient in first]
    others = [torch.randn(6, 2, dtype=torch.float64, requires_grad=True) for _ in range(5)]
    for other in others:
        engine.at_once(other, weights, torch.float64).sum().backward()
    assert torch.equal(values, kept)
    assert all(torch.equal(a, b) for a, b in zip(first, copies, strict=True))
    with torch.no_grad():
        plain = engine.at_once(rows, weights, torch.float64)
        again = engine.at_once(others[0], weights, torch.float64)
    assert torch.equal(plain, kept) and not torch.equal(plain, again)


@pytest.mark.parametrize("noisy", [False, True])
def test_a_copy_reads_its_own_arrays(noisy):
    engine, (rows, weights) = engine_of(3, noisy), made(4)
    values = engine.at_once(rows, weights, torch.float64)
    copied = copy.deepcopy(engine)
    assert torch.equal(copied.at_once(rows, weights, torch.float64), values)
    tables = [next(iter(e._calls.values()))._layouts[4].table for e in (engine, copied)]
    addresses = [set(table[:-2:4].tolist()) for table in tables]
    assert not addresses[0] & addresses[1]


@pytest.mark.parametrize("noisy", [False, True])
def test_the_way_back_may_come_late_twice_and_from_another_thread(noisy):
    engine, (rows, weights) = engine_of(4, noisy), made(6)
    expected = torch.autograd.grad(
        in_general(engine, rows, weights, torch.float64).sum(), (rows, weights)
    )
    values = [engine.at_once(rows, weights, torch.float64) for _ in range(3)]
    engine.at_once(rows.detach() + 1, weights, torch.float64).sum().backward()
    found = []

    def work():
        for each in values:
            found.append(torch.autograd.grad(each.sum(), (rows, weights), retain_graph=True))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    work()  # of states computed anew
    assert len(found) == 6
    for gradients in found:
        torch.testing.assert_close(gradients, expected, atol=1e-12, rtol=0)
    values[0].sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        values[0].sum().backward()


def test_threads_that_share_an_engine_get_what_one_gets():
    engine = engine_of(5, False)
    inputs = [made(size) for size in (1, 4, 8, 9)]
    expected = [in_general(engine, *pair, torch.float64).detach() for pair in inputs]
    wrong = []

    def work(number):
        for turn in range(40):
            at = (number + turn) % 4
            values = engine.at_once(*inputs[at], torch.float64)
            torch.autograd.grad(values.sum(), inputs[at])
            if not torch.allclose(values, expected[at], atol=1e-12):
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e13, 1e300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_that_want_a_closer_look_are_left_to_the_general_way(number, dtype):
    engine, (rows, weights) = engine_of(2, False), made(3, dtype, dtype)
    strange = rows.detach().clone()
    strange[2, 1] = torch.tensor(number, dtype=torch.float64).to(dtype)
    assert engine.at_once(strange, weights, dtype) is None
    heavy = weights.detach().clone()
    heavy[0] = strange[2, 1]
    assert engine.at_once(rows, heavy, dtype) is None
    if number == 1e13:
        with_heavy = engine.expectations(rows, heavy, dtype=dtype)
        torch.testing.assert_close(with_heavy, in_general(engine, rows, heavy, dtype))


def test_a_layer_refuses_and_passes_on_what_it_did():
    circuit, parameters = varied(3, False)
    layer = QuantumLayer(make_qnn(circuit, parameters[:2], parameters[2:]))
    with pytest.raises(InputError, match="NaN or infinity"):
        layer(torch.tensor([[0.1, float("nan")]]))
    layer.weight.data[0] = float("nan")
    assert layer(torch.zeros(2, 2)).isnan().any()


def test_what_does_not_fit_is_not_read():
    engine, (rows, weights) = engine_of(2, False), made(3)
    for x, w in ((rows[:, :1], weights), (rows, weights[:2]), (rows[:0], weights)):
        assert engine.at_once(x, w, torch.float64) is None
    assert engine.at_once(rows.half(), weights, torch.float64) is None
    assert engine.at_once(rows.to_sparse(), weights, torch.float64) is None
    assert engine.at_once(rows.to("meta"), weights, torch.float64) is None
    zeros = torch._efficientzerotensor(3, 2, dtype=torch.float64)
    assert engine.at_once(zeros, weights, torch.float64) is None


def test_large_calls_and_calls_that_python_runs_are_left_to_the_general_way(monkeypatch):
    engine, (rows, weights) = engine_of(2, False), made(at_once.MOST_ANGLES)
    assert engine.at_once(rows, weights, torch.float64) is None
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert not at_once.worth_one_kernel(1, 0)


@pytest.mark.parametrize("noisy", [False, True])
def test_second_derivatives_are_differences_of_the_first(noisy):
    engine, (rows, weights) = engine_of(2, noisy), made(2)
    assert torch.autograd.gradgradcheck(
        lambda x, w: engine.at_once(x, w, torch.float64), (rows, weights)
    )


def test_only_what_is_wanted_is_differentiated():
    engine, (rows, weights) = engine_of(2, False), made(3)
    whole = torch.autograd.grad(engine.at_once(rows, weights, torch.float64).sum(), (rows, weights))
    for wanted, expected in ((rows, whole[0]), (weights, whole[1])):
        x, w = rows.detach(), weights.detach()
        x, w = (rows, w) if wanted is rows else (x, weights)
        (found,) = torch.autograd.grad(engine.at_once(x, w, torch.float64).sum(), wanted)
        assert torch.equal(found, expected)
    values = engine.at_once(rows.detach(), weights.detach(), torch.float64)
    assert not values.requires_grad
    with torch.inference_mode():
        assert torch.equal(engine.at_once(rows, weights, torch.float64), values)


def test_a_layer_takes_it_under_noise_too(monkeypatch):
    circuit, parameters = varied(3, True)
    estimator = TorchEstimator(noise_model=NOISE)
    network = make_qnn(circuit, parameters[:2], parameters[2:], estimator=estimator)
    layer = QuantumLayer(network)
    rows = torch.rand(3, 2)
    found = layer(rows)
    monkeypatch.setattr(DensityEngine, "at_once", lambda *_: None)
    torch.testing.assert_close(found, layer(rows), atol=1e-6, rtol=0)
