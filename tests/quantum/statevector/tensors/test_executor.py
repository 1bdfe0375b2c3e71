"""The torch executor as a GPU would see it: which operations a step makes, and on what."""

import warnings
from unittest import mock

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qvlm_qiskit.quantum import AmplitudeEncoding, QuantumLayer, amplitude_angles, make_qnn
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.statevector.tensors import executor as tensor
from tests.quantum.statevector.tensors.everything import everything


class Recorder(TorchDispatchMode):
    """Counts operations that compute something, and finds tensors that come from the host.

    A tensor from the host is one on the CPU, or one that no operation has made and that was not
    there before (indexing with a list makes such ones, past the dispatcher).
    """

    def __init__(self, before=None):
        super().__init__()
        self.count = 0
        self.from_host = []
        self.storages = {} if before is None else dict(before.storages)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        for x in given:
            if x.device.type == "cpu" or key_of(x) not in self.storages:
                self.from_host.append(str(function))
        result = function(*args, **(kwargs or {}))
        made = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        # kept, so that no later storage gets the same address
        self.storages |= {key_of(x): x.untyped_storage() for x in (*given, *made)}
        returns = function._schema.returns
        self.count += not any(r.alias_info and not r.alias_info.is_write for r in returns)
        return result


def key_of(x):
    return x.untyped_storage()._cdata


def loaded(kind, n=3):
    """Amplitudes from parameters in order, out of order, or from expressions."""
    x, w = ParameterVector("x", 2**n - 1), ParameterVector("w", n)
    angles = {
        "in order": list(x),
        "out of order": [*x[1:], x[0]],
        "expressions": [2 * p for p in x],
    }[kind]
    circuit = QuantumCircuit(n)
    circuit.append(AmplitudeEncoding(angles), range(n))
    for q in range(n):
        circuit.rx(w[q], q)
        circuit.cx(q, (q + 1) % n)
    return circuit, x, w


def network_step(circuit, inputs, weights, device, encode=False):
    """A training step of a layer on a device: forward and backward."""
    observables = [SparsePauliOp(["ZII", "IZZ"], [1.0, -0.5]), SparsePauliOp(["XYI"])]
    network = make_qnn(circuit, inputs, weights, observables)
    layer = QuantumLayer(network, np.linspace(-1, 2, len(weights))).to(device)
    rows = torch.linspace(-2, 3, 5 * (len(inputs) + encode)).reshape(5, -1).to(device)
    rows.requires_grad_()
    call = layer.encode if encode else layer

    def step():
        outputs = call(rows)
        return torch.autograd.grad(outputs, [rows, layer.weight], torch.ones_like(outputs))

    return step


CASES = {
    "every kind of step": (everything, False),
    "angles of a load": (lambda: loaded("in order"), False),
    "features": (lambda: loaded("in order"), True),
    "shuffled angles of a load": (lambda: loaded("out of order"), False),
    "expressions in a load": (lambda: loaded("expressions"), False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_touches_nothing_on_the_host_after_the_first(case):
    # a tensor on "meta" has no data, so it is an error if a step wants to know a value
    make, encode = CASES[case]
    step = network_step(*make(), "meta", encode)
    with Recorder() as first:
        step()
    assert first.from_host, "constants come from the host once, so the recorder must see them"
    with Recorder(first) as second:
        gradients = step()
    assert second.from_host == []
    assert all(gradient.device.type == "meta" for gradient in gradients)


def test_angles_of_features_are_computed_on_their_device():
    features = torch.ones(5, 8, device="meta", requires_grad=True)

    def step():
        angles = amplitude_angles(features)
        return torch.autograd.grad(angles, features, torch.ones_like(angles))

    with Recorder() as first:
        step()
    with Recorder(first) as second:
        step()
    assert second.from_host == []


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x[:, [1, 0]],
        lambda x: x + torch.tensor([1.0, 2.0]).to(x.device),
        lambda x: x + x.new_tensor([1.0, 2.0]),
    ],
)
def test_the_recorder_sees_what_comes_from_the_host(work):
    x = torch.ones(3, 2, device="meta")
    with Recorder() as first:
        work(x)
    with Recorder(first) as second:
        work(x)
    assert second.from_host


@pytest.mark.parametrize("case", CASES)
def test_both_executors_agree(case):
    make, encode = CASES[case]
    expected = network_step(*make(), "cpu", encode)()
    with mock.patch.object(statevector, "MAX_SWEEP_QUBITS", -1):
        found = network_step(*make(), "cpu", encode)()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_number_of_operations_grows_with_layers_and_not_with_gates():
    # a GPU needs about the same time for every one of them
    counts = []
    for n, layers in ((4, 2), (4, 3), (8, 3)):
        x, w = ParameterVector("x", n), ParameterVector("w", 2 * n * layers)
        circuit = QuantumCircuit(n)
        for q in range(n):
            circuit.rx(x[q], q)
        for layer in range(layers):
            for q in range(n):
                circuit.ry(w[2 * (layer * n + q)], q)
                circuit.rz(w[2 * (layer * n + q) + 1], q)
            for q in range(n):
                circuit.cx(q, (q + 1) % n)
        engine = StatevectorEngine(compile_circuit(circuit, [*x, *w]), [SparsePauliOp("Z" * n)], n)
        values = torch.zeros(2, n), torch.zeros(2 * n * layers)
        with mock.patch.object(statevector, "MAX_SWEEP_QUBITS", -1):
            engine.expectations(*values)
            with Recorder() as record:
                engine.expectations(*values)
        counts.append(record.count)
    two, three, wide = counts
    assert three - two <= 4  # matrix product, gather, and what reshaping copies
    assert wide - three <= 15  # a block more, and more factors of the first product state


@pytest.mark.parametrize("precision", ["highest", "high"])
def test_rounded_matrix_products_are_warned_of(precision):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tensor._warn_of_rounded_products()
    finally:
        torch.set_float32_matmul_precision(before)
    assert ["TF32" in str(w.message) for w in caught] == ([True] if precision == "high" else [])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("case", CASES)
def test_cuda_gives_what_the_cpu_gives(case):
    make, encode = CASES[case]
    expected = network_step(*make(), "cpu", encode)()
    found = network_step(*make(), "cuda", encode)()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=1e-5, rtol=0)
