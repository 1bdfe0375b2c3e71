"""Networks of probabilities: on the exact engine, on machines, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp, Statevector
from qiskit.transpiler import generate_preset_pass_manager

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.readings.probabilities import without_final_measurements
from qvlm_qiskit.quantum.statevector import engine, readings
from tests.quantum.problems import PARAMETERS, circuits

ROWS = np.random.default_rng(0).uniform(-2, 2, (4, 2))
WEIGHTS = np.array([0.31, -0.72, 1.13])


def example():
    """2 inputs, 3 weights, 3 qubits; no symmetry between any two of them."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.h(2)
    circuit.cx(0, 1)
    circuit.rz(w[0], 1)
    circuit.ry(w[1], 2)
    circuit.cx(1, 2)
    circuit.ry(w[2], 0)
    circuit.rx(w[0], 1)
    return circuit, list(x), list(w)


def slow_probabilities(circuit, rows, qubits, parameters=None):
    parameters = list(circuit.parameters) if parameters is None else parameters
    found = []
    for row in rows:
        values = {p: v for p, v in zip(parameters, row, strict=True) if p in circuit.parameters}
        found.append(Statevector(circuit.assign_parameters(values)).probabilities(list(qubits)))
    return np.array(found)


def parity(outcome):
    return outcome.bit_count() % 2


def pair(outcome):
    return outcome % 2, outcome % 3


def check_probabilities(circuit, seed):
    rng = np.random.default_rng(seed)
    qubits = [int(q) for q in rng.permutation(circuit.num_qubits)]
    qubits = qubits[: rng.integers(1, len(qubits) + 1)]
    used = list(circuit.parameters)
    network = make_qnn(circuit, used[:1], used[1:], read="probabilities", qubits=qubits)
    values = rng.uniform(-1.5, 1.5, len(used))
    rows = np.concatenate(
        [rng.uniform(-1.5, 1.5, (3, len(used[:1]))), np.tile(values[1:], (3, 1))], axis=1
    )
    inputs = torch.as_tensor(rows[:, : len(used[:1])]).requires_grad_()
    layer = QuantumLayer(network).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(values[1:]))
    found = layer(inputs)
    np.testing.assert_allclose(
        found.detach(), slow_probabilities(circuit, rows, qubits), atol=1e-10
    )
    assert float(found.detach().min()) >= 0
    if not used:
        return
    outer = rng.normal(size=found.shape)
    (found * torch.as_tensor(outer)).sum().backward()
    shifts = 1e-6 * np.eye(len(used))
    slopes = [
        ((slow_probabilities(circuit, rows + s, qubits)
          - slow_probabilities(circuit, rows - s, qubits)) * outer).sum(1) / 2e-6
        for s in shifts
    ]  # fmt: skip
    np.testing.assert_allclose(inputs.grad[:, 0], slopes[0], atol=1e-6)
    np.testing.assert_allclose(layer.weight.grad, [s.sum() for s in slopes[1:]], atol=1e-6)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=8), seed=st.integers(0, 1000))
def test_values_and_slopes_are_those_of_the_slow_twin(circuit, seed):
    check_probabilities(circuit, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(circuit=circuits(max_qubits=5, max_gates=20), seed=st.integers(0, 1000))
def test_values_and_slopes_are_those_of_the_slow_twin_on_many_circuits(circuit, seed):
    check_probabilities(circuit, seed)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=8), seed=st.integers(0, 1000))
def test_torch_operations_give_the_same(circuit, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "MAX_SWEEP_QUBITS", -1)
        check_probabilities(circuit, seed)


@pytest.mark.parametrize("portion", [1, 1 << 22])
def test_rows_without_gradient_run_in_portions(monkeypatch, portion):
    monkeypatch.setattr(readings, "PORTION", portion)
    circuit, x, w = example()
    layer = QuantumLayer(make_qnn(circuit, x, w, read="probabilities", qubits=[2, 0]), WEIGHTS)
    with torch.no_grad():
        found = layer(torch.as_tensor(ROWS))
    rows = np.concatenate([ROWS, np.tile(layer.weight.detach().double(), (4, 1))], axis=1)
    np.testing.assert_allclose(found, slow_probabilities(circuit, rows, [2, 0], x + w), atol=1e-7)


MACHINES = {
    "exact primitive": StatevectorEstimator,
    "own subclass": lambda: type("Other", (TorchEstimator,), {})(dtype="complex128"),
    "aer": lambda: open_backend("aer").estimator(),
    "noise-free device": lambda: open_backend("noisy:depolarizing(0)", precision=0).estimator(),
}


@pytest.mark.parametrize("interpret", [(None, None), (parity, 2), (pair, (2, 3))])
@pytest.mark.parametrize("kind", ["exact primitive", "own subclass"])
def test_every_estimator_gives_values_and_slopes_of_the_exact_engine(kind, interpret):
    circuit, x, w = example()
    options = dict(zip(("interpret", "output_shape"), interpret, strict=True))
    results = []
    for estimator in (None, MACHINES[kind]()):
        network = make_qnn(
            circuit, x, w, estimator=estimator, read="probabilities", qubits=[2, 0], **options
        )
        network._default_precision = 0.0
        layer = QuantumLayer(network, WEIGHTS)
        inputs = torch.as_tensor(ROWS).requires_grad_()
        values = layer(inputs)
        assert values.shape == (4, *network.output_shape)
        values.square().sum().backward()
        results.append((values.detach(), inputs.grad, layer.weight.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)


def test_a_network_alone_gives_what_its_layer_gives():
    circuit, x, w = example()
    for options in ({}, {"interpret": pair, "output_shape": (2, 3)}):
        network = make_qnn(
            circuit, x, w, estimator=TorchEstimator(dtype="complex128"), read="probabilities",
            **options,
        )  # fmt: skip
        network._default_precision = 0.0
        layer = QuantumLayer(network, WEIGHTS).double()
        inputs = torch.as_tensor(ROWS).requires_grad_()
        found = layer(inputs)
        weights = layer.weight.detach().numpy()
        np.testing.assert_allclose(network.forward(ROWS, weights), found.detach(), atol=1e-10)
        outer = torch.rand_like(found)
        (found * outer).sum().backward()
        by_inputs, by_weights = network.backward(ROWS, weights)
        np.testing.assert_allclose(
            torch.einsum("b...,b...i->bi", outer, torch.as_tensor(by_inputs)),
            inputs.grad,
            atol=1e-10,
        )
        np.testing.assert_allclose(
            torch.einsum("b...,b...w->w", outer, torch.as_tensor(by_weights)),
            layer.weight.grad,
            atol=1e-10,
        )


def test_on_a_sampling_machine_all_strings_share_their_shots():
    circuit, x, w = example()
    layer = QuantumLayer(make_qnn(circuit, x, w, read="probabilities"), WEIGHTS)
    exact = layer(torch.as_tensor(ROWS)).detach()
    with layer.run_on(open_backend("aer", shots=4000, seed=3)), torch.no_grad():
        found = layer(torch.as_tensor(ROWS))
    # frequencies: multiples of 1/4000 that add up to one
    torch.testing.assert_close(found.sum(-1), torch.ones(4, dtype=torch.float64), atol=1e-9, rtol=0)
    counts = found * 4000
    torch.testing.assert_close(counts, counts.round(), atol=1e-6, rtol=0)
    assert float(found.min()) > -1e-12
    assert float((found - exact).abs().max()) < 5 * 0.5 / 4000**0.5


def test_under_noise_values_and_slopes_go_through_the_noisy_engine():
    circuit, x, w = example()
    layer = QuantumLayer(make_qnn(circuit, x, w, read="probabilities", qubits=[1, 2]), WEIGHTS)
    clean = layer(torch.as_tensor(ROWS)).detach()
    with layer.run_on(open_backend("noisy:fake_manila", precision=0)):
        inputs = torch.as_tensor(ROWS).requires_grad_()
        found = layer(inputs)
        found[:, 2].sum().backward()
        found = found.detach()
        step = torch.tensor([1e-5, 0])
        shifted = layer(torch.as_tensor(ROWS) + step) - layer(torch.as_tensor(ROWS) - step)
    torch.testing.assert_close(inputs.grad[:, 0], shifted[:, 2].detach() / 2e-5, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.sum(-1), torch.ones(4, dtype=torch.float64))
    assert 1e-3 < float((found - clean).abs().max()) < 0.2


def test_slopes_of_a_sampling_machine_cost_one_pub(counting_statevector):
    circuit, x, w = example()
    layer = QuantumLayer(make_qnn(circuit, x, w, read="probabilities", qubits=[0]), WEIGHTS)
    exact = torch.as_tensor(ROWS).requires_grad_()
    layer(exact)[:, 1].sum().backward()
    with layer.run_on(counting_statevector, gradient="param_shift"):
        inputs = torch.as_tensor(ROWS).requires_grad_()
        layer(inputs)[:, 1].sum().backward()
    assert [len(pubs) for pubs, _ in counting_statevector.calls] == [1, 1]
    torch.testing.assert_close(inputs.grad, exact.grad, atol=1e-6, rtol=0)


def test_final_measurements_say_what_is_read():
    circuit, x, w = example()
    measured = circuit.copy()
    measured.add_bits(QuantumCircuit(0, 3).clbits)
    measured.barrier()
    measured.measure([2, 0], [0, 2])
    layer = QuantumLayer(make_qnn(measured, x, w, read="probabilities"), WEIGHTS).double()
    rows = np.concatenate([ROWS, np.tile(layer.weight.detach(), (4, 1))], axis=1)
    expected = slow_probabilities(circuit, rows, [2, 0], x + w)
    np.testing.assert_allclose(layer(torch.as_tensor(ROWS)).detach(), expected, atol=1e-10)
    middle = QuantumCircuit(1, 1)
    middle.h(0)
    middle.measure(0, 0)
    middle.h(0)  # without the measurement, the two would cancel
    assert without_final_measurements(middle) == (middle, {})
    found = QuantumLayer(make_qnn(middle, [], [], read="probabilities"))()
    torch.testing.assert_close(found, torch.full((2,), 0.5))


def test_a_transpiled_circuit_is_read_where_its_qubits_went():
    circuit, x, w = example()
    device = GenericBackendV2(6, coupling_map=[[i, i + 1] for i in range(5)], seed=3)
    manager = generate_preset_pass_manager(
        2, backend=device, initial_layout=[4, 1, 3], seed_transpiler=2
    )
    for measured in (False, True):
        written = circuit.copy()
        if measured:
            written.measure_all()
        networks = (
            make_qnn(c, x, w, read="probabilities") for c in (written, manager.run(written))
        )
        found = [QuantumLayer(n, WEIGHTS)(torch.as_tensor(ROWS)).detach() for n in networks]
        torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=0)


def test_transforms_exports_and_copies():
    circuit, x, w = example()
    layer = QuantumLayer(
        make_qnn(circuit, x, w, read="probabilities", interpret=pair, output_shape=(2, 3)), WEIGHTS
    ).double()
    rows = torch.as_tensor(ROWS)
    expected = layer(rows).detach()
    assert expected.shape == (4, 2, 3)
    assert layer(rows[0]).shape == (2, 3)
    assert layer(rows.reshape(2, 2, 2)).shape == (2, 2, 2, 3)
    assert layer(rows[:0]).shape == (0, 2, 3)
    torch.testing.assert_close(torch.func.vmap(layer)(rows).detach(), expected)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(rows).detach(), expected)
    compiled = torch.compile(layer, backend="eager")
    torch.testing.assert_close(compiled(rows).detach(), expected)
    inputs = rows.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(layer, inputs[:1])


def test_amplitudes_are_loaded_from_features():
    from qvlm_qiskit.quantum import AmplitudeEncoding, amplitude_angles

    x, w = ParameterVector("x", 7), ParameterVector("w", 1)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(x), range(3))
    circuit.ry(w[0], 1)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w), read="probabilities"), [0.3])
    features = torch.rand(5, 8)
    torch.testing.assert_close(layer.encode(features), layer(amplitude_angles(features)))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"read": "probability"}, UnknownNameError, "did you mean 'probabilities'"),
        ({"qubits": [0]}, InputError, "need read='probabilities'"),
        ({"read": "probabilities", "observables": []}, InputError, "takes no observables"),
        ({"read": "probabilities", "qubits": [0, 3]}, InputError, "from 0 to 2"),
        ({"read": "probabilities", "qubits": [0, 0]}, InputError, "from 0 to 2"),
        ({"read": "probabilities", "qubits": []}, InputError, "from 0 to 2"),
        ({"read": "probabilities", "qubits": [0.5]}, InputError, "from 0 to 2"),
        ({"read": "probabilities", "interpret": parity}, InputError, "belong together"),
        (
            {"read": "probabilities", "interpret": parity, "output_shape": "2"},
            InputError,
            "output_shape must hold positive numbers",
        ),
        (
            {"read": "probabilities", "interpret": lambda o: 0.5, "output_shape": 2},
            InputError,
            r"interpret\(0\) is 0.5",
        ),
        (
            {"read": "probabilities", "interpret": lambda o: o, "output_shape": 4},
            InputError,
            r"interpret\(4\) is 4, which is no index of outputs of shape \(4,\)",
        ),
    ],
)
def test_what_fits_no_circuit_is_refused_in_one_line(options, error, words):
    circuit, x, w = example()
    with pytest.raises(error, match=words) as caught:
        make_qnn(circuit, x, w, **options)
    assert "\n" not in str(caught.value)


def test_more_probabilities_than_memory_holds_are_refused_before_anything_runs(monkeypatch):
    with pytest.raises(CapacityError, match="the probabilities of 60 qubits"):
        make_qnn(QuantumCircuit(60), [], [], read="probabilities")
    wide = QuantumCircuit(15)
    wide.ry(PARAMETERS[0], 0)
    layer = QuantumLayer(make_qnn(wide, [PARAMETERS[0]], [], read="probabilities"))
    assert layer(torch.zeros(2, 1)).shape == (2, 2**15)
    with layer.run_on(StatevectorEstimator()), pytest.raises(CapacityError, match="15 Z strings"):
        layer(torch.zeros(2, 1))
    monkeypatch.setattr(readings, "memory_bytes", lambda: 2**20)
    with pytest.raises(CapacityError, match="the probabilities of 15 qubits of 100 samples"):
        layer(torch.zeros(100, 1))


HERMITIAN = np.array([[1.0, 0.3 - 0.2j, 0, 0.1], [0.3 + 0.2j, -0.5, 0.4j, 0],
                      [0, -0.4j, 0.2, 0], [0.1, 0, 0, 0.7]])  # fmt: skip


@pytest.mark.parametrize("kind", MACHINES)
def test_hermitian_matrices_and_projectors_are_observables_everywhere(kind):
    circuit = QuantumCircuit(2)
    x = ParameterVector("x", 2)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.cx(0, 1)
    projector = SparseObservable.from_list([("0+", 0.5), ("1r", -1.0)])
    observables = [Operator(HERMITIAN), HERMITIAN, projector]
    layer = QuantumLayer(make_qnn(circuit, list(x), [], observables, MACHINES[kind]()))
    layer.neural_network._default_precision = 0.0
    inputs = torch.as_tensor(ROWS).requires_grad_()
    found = layer(inputs)
    strings = SparsePauliOp.from_sparse_observable(projector.as_paulis())
    matrices = [HERMITIAN, HERMITIAN, strings.to_matrix()]

    def slow(rows):
        vectors = [Statevector(circuit.assign_parameters(row)).data for row in rows]
        return np.array([[(v.conj() @ m @ v).real for m in matrices] for v in vectors])

    np.testing.assert_allclose(found.detach(), slow(ROWS), atol=1e-6)
    found.sum().backward()
    shifts = 1e-6 * np.eye(2)
    wanted = [(slow(ROWS + s) - slow(ROWS - s)).sum(1) / 2e-6 for s in shifts]
    np.testing.assert_allclose(inputs.grad, np.transpose(wanted), atol=1e-5)


def test_matrices_that_are_no_observables_are_refused_in_one_line():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    for matrix, words in (
        (np.array([[0, 1], [0, 0]]), "not Hermitian"),
        (np.eye(3), r"a matrix of shape \(3, 3\)"),
        (np.zeros(2), r"a matrix of shape \(2,\)"),
    ):
        with pytest.raises(CircuitError, match=words) as caught:
            make_qnn(circuit, [], [], [matrix])
        assert "\n" not in str(caught.value)
