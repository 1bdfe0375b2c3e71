"""Torch operations of which both passes use one thread."""

import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.executors.one_thread import SPREAD, on_one_thread, tanh
from qvlm_qiskit.quantum.statevector import engine


class Watched(torch.autograd.Function):
    """The sine; notes how many threads torch has on the way there and back."""

    @staticmethod
    def forward(ctx, x, seen):
        seen.append(torch.get_num_threads())
        ctx.save_for_backward(x)
        ctx.seen = seen
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        ctx.seen.append(torch.get_num_threads())
        return grad * ctx.saved_tensors[0].cos(), None


def test_both_passes_use_one_thread_and_leave_the_others(two_threads):
    seen, x = [], torch.tensor([0.3, 1.2], requires_grad=True)
    values = on_one_thread(lambda x: Watched.apply(x, seen), x)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert seen == [1, 1]
    assert torch.get_num_threads() == 2
    torch.testing.assert_close(values, x.sin())
    torch.testing.assert_close(gradient, x.cos())


def test_threads_come_back_after_an_error(two_threads):
    def fails(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on_one_thread(fails, torch.zeros(1))
    assert torch.get_num_threads() == 2


def test_gradients_twice_second_derivatives_and_none():
    x, y = (torch.tensor([v], dtype=torch.double, requires_grad=True) for v in (0.7, 2.0))

    def product(x, y, nothing):
        assert nothing is None
        return x.sin() * y

    values = on_one_thread(product, x, y, None)
    for _ in range(2):
        first = torch.autograd.grad(values, (x, y), retain_graph=True)
        torch.testing.assert_close(first, (x.cos() * y, x.sin()))
    assert torch.autograd.gradgradcheck(lambda x, y: on_one_thread(product, x, y, None), (x, y))
    unused = on_one_thread(lambda x, y: y * 2, x, y)
    assert torch.autograd.grad(unused, x, allow_unused=True) == (None,)
    with torch.no_grad():
        assert not on_one_thread(product, x, y, None).requires_grad


@pytest.mark.parametrize("read", ["expectations", "probabilities"])
def test_evolutions_are_the_same_with_and_without(read, monkeypatch, two_threads):
    entries, times = ParameterVector("x", 10)[:], ParameterVector("t", 2)[:]
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    for time in times:
        circuit.append(HamiltonianEvolution(entries, time), [0, 1])
        circuit.rx(time, 0)
    options = {"read": read} if read == "probabilities" else {}
    network = make_qnn(circuit, entries, times, **options)
    layer = QuantumLayer(network, torch.tensor([0.4, -1.3]))
    x = torch.rand(5, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def both():
        values = layer(x)
        return values, torch.autograd.grad(values.square().sum(), (x, layer.weight))

    small = both()
    monkeypatch.setattr(engine, "SMALL_NUMBERS", 0)
    torch.testing.assert_close(small, both())


def test_the_tangent_of_few_numbers_wakes_no_threads(two_threads, monkeypatch):
    """MKL gives 256 of them to all threads already."""
    plain, seen = torch.tanh, []

    def watched(values):
        seen.append(torch.get_num_threads())
        return plain(values)

    monkeypatch.setattr(torch, "tanh", watched)
    for count in (3, 2000, SPREAD, SPREAD + 1):
        values = torch.linspace(-3, 3, count, requires_grad=True)
        found = tanh(values)
        assert torch.equal(found, plain(values))
        (gradient,) = torch.autograd.grad(found.sum(), values)
        torch.testing.assert_close(gradient, 1 - found.detach().square())
        assert torch.get_num_threads() == 2
    assert seen == [1, 1, 1, 2]


def test_the_tangent_is_torchs_own_in_graphs_that_are_compiled_and_under_transforms():
    values = torch.linspace(-2, 2, 6).reshape(2, 3)
    assert torch.equal(torch.vmap(tanh)(values), torch.tanh(values))
    program = torch.export.export(Tangent(), (values,))
    assert "set_num_threads" not in program.graph_module.code
    assert torch.equal(program.module()(values), torch.tanh(values))


class Tangent(torch.nn.Module):
    def forward(self, values):
        return tanh(values)
