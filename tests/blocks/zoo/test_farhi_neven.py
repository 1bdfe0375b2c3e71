"""The product against the circuit of the tutorial, gate by gate."""

import math

import torch
from qiskit import QuantumCircuit

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.quantum import TorchEstimator, run_on


def test_values_are_those_of_the_circuit(z_of):
    torch.manual_seed(0)
    core = build("farhi-neven", inputs=4).double()
    x = torch.cat([torch.rand(2, 4), torch.tensor([[0.0, 1, 1, 0]])]).double()
    weights = core.layer.weight.tolist()
    for sample, found in zip(x.tolist(), core(x).detach(), strict=True):
        circuit = QuantumCircuit(5)
        for qubit, bit in enumerate(sample):
            circuit.rx(math.pi * bit, qubit)
        circuit.x(4)
        circuit.h(4)
        for qubit in range(4):
            circuit.rxx(math.pi * weights[qubit], qubit, 4)
        for qubit in range(4):
            circuit.rzz(math.pi * weights[4 + qubit], qubit, 4)
        circuit.h(4)
        torch.testing.assert_close(found.item(), z_of(circuit)[4], rtol=0, atol=1e-10)


def test_product_and_circuit_have_the_same_gradients():
    core = build("farhi-neven", inputs=6).double()
    x = torch.rand(3, 6, dtype=torch.float64, requires_grad=True)
    wanted = torch.autograd.grad(core(x).sum(), [x, core.layer.weight])
    with run_on(core, TorchEstimator()):
        found = torch.autograd.grad(core(x).sum(), [x, core.layer.weight])
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_a_hundred_and_fifty_qubits_need_no_state():
    core = build("farhi-neven", inputs=150)
    values = core(torch.rand(4, 150))
    values.sum().backward()
    assert values.abs().max() <= 1
    assert core.layer.weight.grad.isfinite().all()
