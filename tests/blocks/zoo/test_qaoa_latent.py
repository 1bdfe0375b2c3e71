"""The circuit by Qiskit, its twin by its formula."""

import math

import pytest
import torch
from qiskit import QuantumCircuit

from qvlm_qiskit.blocks.zoo import build


@pytest.mark.parametrize("qubits", [2, 3, 4])
def test_values_are_those_of_the_circuit(z_of, qubits):
    torch.manual_seed(0)
    core = build("qaoa-latent", qubits=qubits, repetitions=2).double()
    x = torch.randn(1, qubits, dtype=torch.float64)
    circuit = QuantumCircuit(qubits)
    circuit.h(range(qubits))
    for qubit, value in enumerate(x[0].tolist()):
        circuit.ry(math.pi / 2 * math.tanh(value), qubit)
    for gamma, beta in core.layer.weight.reshape(2, 2).tolist():
        for qubit in range(qubits if qubits > 2 else 1):
            circuit.rzz(gamma, qubit, (qubit + 1) % qubits)
        circuit.rx(beta, range(qubits))
    torch.testing.assert_close(core(x)[0].tolist(), z_of(circuit), rtol=0, atol=1e-10)


def test_the_twins_formula():
    twin = build("qaoa-latent", qubits=3, repetitions=1, kind="classical").double()
    x = torch.randn(3, dtype=torch.float64)
    a, b, c = torch.sin(torch.pi / 2 * torch.tanh(x)).tolist()
    own, other = twin.own.item(), twin.beside.item()
    wanted = [math.tanh(own * one + other * (a + b + c - one)) for one in (a, b, c)]
    torch.testing.assert_close(twin(x).tolist(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("repetitions", "least"), [(3, 0.2), (10, 0.05)])
def test_the_twin_begins_with_something_of_what_it_is_given(repetitions, least):
    features = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    for seed in range(20):
        torch.manual_seed(seed)
        twin = build("qaoa-latent", repetitions=repetitions, kind="classical")
        values = twin(features).detach()
        assert least < float(values.std(0).mean()) < 0.95
