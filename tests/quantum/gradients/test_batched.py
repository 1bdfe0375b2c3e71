"""What is sent, and where the answers go."""

import copy
import pickle
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import EstimatorV2 as AerEstimator
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, z_observables
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient

A, B = ParameterVector("a", 3), ParameterVector("b", 2)
Z0, Z1, XX = SparsePauliOp("IZ"), SparsePauliOp("ZI"), SparsePauliOp(["XX", "ZZ"], [0.5, -1.5])


def two_qubits():
    circuit = QuantumCircuit(2)
    circuit.ry(A[0], 0)
    circuit.rx(A[1], 1)
    circuit.cx(0, 1)
    circuit.rz(A[2], 1)
    circuit.ry(A[0], 1)
    return circuit


def other_circuit():
    circuit = QuantumCircuit(2)
    circuit.rx(B[0], 0)
    circuit.crx(B[1], 0, 1)
    return circuit


def stock(request, estimator=None):
    """The gradients of qiskit-machine-learning."""
    gradient = ParamShiftEstimatorGradient(QMLEstimator() if estimator is None else estimator)
    return gradient.run(*request).result()


def rows_sent(calls):
    """Number of parameter rows of every pub of the only call."""
    ((pubs, _),) = calls
    return [EstimatorPub.coerce(pub).parameter_values.shape for pub in pubs]


def assert_same(ours, theirs):
    assert len(ours.gradients) == len(theirs.gradients)
    for mine, other in zip(ours.gradients, theirs.gradients, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, atol=1e-8)
    assert ours.metadata == theirs.metadata
    assert ours.options == theirs.options


VALUES = np.random.default_rng(1).uniform(-3, 3, (3, 3))


def test_one_call_and_one_pub_for_all_vectors_and_observables(counting_statevector):
    circuit = two_qubits()
    request = ([circuit] * 6, [Z0, Z0, Z0, XX, XX, XX], np.tile(VALUES, (2, 1)))
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    # three vectors, four gate angles, two shifts
    assert rows_sent(counting_statevector.calls) == [(24,)]
    pub = EstimatorPub.coerce(counting_statevector.calls[0][0][0])
    assert pub.observables.shape == (2, 1)
    assert_same(ours, stock(request))


def test_mixed_circuits_make_one_pub_each_and_keep_their_places(counting_statevector):
    first, second = two_qubits(), other_circuit()
    request = (
        [first, second, first, second, first],
        [Z0, XX, XX, Z1, Z0],
        [VALUES[0], [0.3, 0.4], VALUES[1], [0.3, 0.4], VALUES[0]],
        [None, [B[1], B[0]], [A[2], A[0]], None, []],
    )
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    # two vectors × four angles × 2, but the second vector is not asked for A[1]; 2 + 4
    assert rows_sent(counting_statevector.calls) == [(14,), (6,)]
    assert ours.gradients[4].shape == (0,)
    assert ours.metadata[1]["parameters"] == [B[1], B[0]]
    # stock fails on an empty list of parameters
    rest = tuple(column[:4] for column in request)
    theirs = stock(rest)
    for mine, other in zip(ours.gradients[:4], theirs.gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-8)


def test_equal_circuits_share_a_pub_and_unequal_ones_do_not(counting_statevector):
    different = two_qubits()
    different.data[2] = different.data[2].replace(qubits=different.qubits[::-1])
    circuits = [two_qubits(), two_qubits(), different]
    request = (circuits, [XX] * 3, [VALUES[0]] * 3)
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    assert rows_sent(counting_statevector.calls) == [(8,), (8,)]
    assert_same(ours, stock(request))
    assert np.abs(ours.gradients[0] - ours.gradients[2]).max() > 0.1


def test_circuits_that_print_alike_are_not_confused():
    """The keys of stock's caches are texts; ours are not."""
    circuits = []
    for sign in (1, -1):
        inner = QuantumCircuit(1, name="block")
        inner.ry(sign * A[0], 0)
        circuit = QuantumCircuit(1)
        circuit.h(0)
        circuit.append(inner.to_gate(), [0])
        circuits.append(circuit)
    gradient = BatchedEstimatorGradient(StatevectorEstimator())
    result = gradient.run(circuits, [SparsePauliOp("X")] * 2, [[0.3]] * 2).result()
    np.testing.assert_allclose(result.gradients, [[-np.sin(0.3)]] * 2, atol=1e-12)
    result = gradient.run(circuits, [SparsePauliOp("Z")] * 2, [[0.3]] * 2).result()
    np.testing.assert_allclose(result.gradients, [[-np.cos(0.3)], [np.cos(0.3)]], atol=1e-12)


def test_observables_that_differ_slightly_are_told_apart():
    near = SparsePauliOp(["IZ"], [1.0 + 5e-6])
    assert near == Z0  # what Qiskit calls equal
    request = ([two_qubits()] * 2, [Z0, near], [VALUES[0]] * 2)
    first, second = BatchedEstimatorGradient(QMLEstimator()).run(*request).result().gradients
    np.testing.assert_allclose(second, first * (1.0 + 5e-6), rtol=1e-10)


def test_a_circuit_changed_in_place_is_built_again():
    circuit = two_qubits()
    gradient = BatchedEstimatorGradient(StatevectorEstimator())
    request = ([circuit], [XX], [VALUES[0]])
    before = gradient.run(*request).result().gradients[0]
    circuit.h(0)
    after = gradient.run(*request).result()
    assert np.abs(before - after.gradients[0]).max() > 0.1
    assert_same(after, stock(request))


def test_equal_vectors_are_sent_once(counting_statevector):
    values = np.array([[0.0, 1.0, 2.0], [-0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    request = ([two_qubits()] * 3, [Z0] * 3, values)
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    assert rows_sent(counting_statevector.calls) == [(8,)]
    assert_same(ours, stock(request))


def test_vectors_with_equal_angles_are_sent_once(counting_statevector):
    circuit = QuantumCircuit(1)
    circuit.ry(A[0] + A[1], 0)
    request = ([circuit] * 2, [SparsePauliOp("Z")] * 2, [[0.5, 0.25], [0.25, 0.5]])
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    assert rows_sent(counting_statevector.calls) == [(2,)]
    np.testing.assert_allclose(ours.gradients, np.full((2, 2), -np.sin(0.75)), atol=1e-12)


@pytest.mark.parametrize("method", ["param_shift", "spsa"])
def test_nothing_wanted_means_no_call(counting_statevector, method):
    gradient = BatchedEstimatorGradient(counting_statevector, method)
    result = gradient.run([two_qubits()] * 2, [Z0] * 2, VALUES[:2], [[], []]).result()
    assert [g.shape for g in result.gradients] == [(0,), (0,)]
    assert gradient.run([], [], []).result().gradients == []
    assert counting_statevector.calls == []


def test_a_parameter_of_the_global_phase_alone_has_no_gradient(counting_statevector):
    circuit = QuantumCircuit(1, global_phase=A[0])
    circuit.h(0)
    gradient = BatchedEstimatorGradient(counting_statevector)
    result = gradient.run([circuit], [SparsePauliOp("X")], [[0.3]]).result()
    np.testing.assert_array_equal(result.gradients[0], [0.0])
    assert counting_statevector.calls == []


def test_a_single_circuit_and_observable_need_no_list():
    result = BatchedEstimatorGradient(QMLEstimator()).run(two_qubits(), XX, VALUES[:1]).result()
    np.testing.assert_allclose(
        result.gradients, stock(([two_qubits()], [XX], VALUES[:1])).gradients, atol=1e-8
    )


BAD = {
    "circuits": ([two_qubits()], [Z0], VALUES[:2]),
    "0-th circuit is not": ([QuantumCircuit(2)], [Z0], [[]]),
    "number of values": ([two_qubits()], [Z0], [[0.1]]),
    "observables": ([two_qubits()], [Z0, Z1], VALUES[:1]),
    "1-th observable": ([two_qubits()] * 2, [Z0, SparsePauliOp("Z")], VALUES[:2]),
    "1-th parameters": ([two_qubits()] * 2, [Z0] * 2, VALUES[:2], [None, [B[0]]]),
    "specified parameters": ([two_qubits()] * 2, [Z0] * 2, VALUES[:2], [[A[0]]]),
}


@pytest.mark.parametrize("name", BAD)
def test_the_base_class_checks_are_kept(name):
    with pytest.raises(ValueError, match=name) as ours:
        BatchedEstimatorGradient(QMLEstimator()).run(*BAD[name])
    with pytest.raises(ValueError) as theirs:
        ParamShiftEstimatorGradient(QMLEstimator()).run(*BAD[name])
    assert str(ours.value) == str(theirs.value)


def test_options_out_of_range_or_unknown_raise():
    with pytest.raises(UnknownNameError, match="param_shift"):
        BatchedEstimatorGradient(QMLEstimator(), "param_shit")
    with pytest.raises(InputError, match="epsilon"):
        BatchedEstimatorGradient(QMLEstimator(), "spsa", epsilon=0.0)
    with pytest.raises(InputError, match="samples"):
        BatchedEstimatorGradient(QMLEstimator(), "spsa", samples=0)
    with pytest.raises(InputError, match="samples, seed"):
        BatchedEstimatorGradient(QMLEstimator(), samples=4, seed=1)
    with pytest.raises(InputError, match="precision"):
        BatchedEstimatorGradient(QMLEstimator(), precision=-0.1)
    with pytest.raises(UnknownNameError, match="precision"):
        BatchedEstimatorGradient(QMLEstimator()).run([two_qubits()], [Z0], VALUES[:1], shots=3)
    with pytest.raises(InputError, match="pass_manager"):
        BatchedEstimatorGradient(QMLEstimator(), "adjoint", pass_manager=object())


@pytest.mark.parametrize("method", ["param_shift", "spsa"])
def test_the_precision_reaches_the_estimator(counting_statevector, method):
    request = ([two_qubits()], [Z0], VALUES[:1])

    def sent(gradient, **options):
        counting_statevector.calls.clear()
        result = gradient.run(*request, **options).result()
        assert result.options.get("precision") == options.get("precision", gradient_default)
        return counting_statevector.calls[0][1]

    gradient_default = None
    plain = BatchedEstimatorGradient(counting_statevector, method)
    assert sent(plain) is None
    assert sent(plain, precision=0.25) == 0.25
    assert sent(plain) is None  # not remembered
    gradient_default = 0.125
    chosen = BatchedEstimatorGradient(counting_statevector, method, precision=0.125)
    assert chosen.options.precision == 0.125
    assert sent(chosen) == 0.125
    assert sent(chosen, precision=0.25) == 0.25
    assert sent(chosen) == 0.125


NETWORK_ESTIMATORS = {
    "qml": QMLEstimator,
    "statevector": StatevectorEstimator,
    "torch": lambda: TorchEstimator(dtype="complex128"),
    "aer": AerEstimator,
}


@pytest.mark.parametrize("input_gradients", [True, False])
@pytest.mark.parametrize("name", NETWORK_ESTIMATORS)
@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
def test_the_backward_pass_of_a_network(
    make_network, weights, counting_statevector, name, method, input_gradients
):
    rows = np.random.default_rng(2).uniform(-2, 2, (3, 2))
    estimator = NETWORK_ESTIMATORS[name]()
    ours = make_network(
        estimator=estimator,
        gradient=BatchedEstimatorGradient(estimator, method),
        input_gradients=input_gradients,
    ).backward(rows, weights)
    reference = QMLEstimator()
    theirs = make_network(estimator=reference, input_gradients=input_gradients).backward(
        rows, weights
    )
    assert (ours[0] is None) == (not input_gradients)
    for mine, other in zip(ours, theirs, strict=True):
        if other is not None:
            assert mine.shape == other.shape
            np.testing.assert_allclose(mine, other, atol=1e-8)


def test_a_backward_pass_is_one_pub(make_network, weights, counting_statevector):
    network = make_network(gradient=BatchedEstimatorGradient(counting_statevector))
    network.backward(np.ones((4, 2)) * np.arange(4)[:, None], weights)
    # 4 samples, 7 gate angles
    assert rows_sent(counting_statevector.calls) == [(4 * 7 * 2,)]


def test_a_layer_trains_through_it_and_can_be_copied(make_network, weights):
    import torch

    estimator = StatevectorEstimator()
    network = make_network(estimator=estimator, gradient=BatchedEstimatorGradient(estimator))
    layer = QuantumLayer(network, initial_weights=weights)
    exact = QuantumLayer(make_network(), initial_weights=weights).double()
    inputs = torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    for module in (exact, layer, copy.deepcopy(layer)):
        module.zero_grad()
        module(inputs).sum().backward()
        torch.testing.assert_close(module.weight.grad, exact.weight.grad, check_dtype=False)


def test_a_used_gradient_can_be_pickled():
    gradient = BatchedEstimatorGradient(QMLEstimator(), precision=0.0)
    circuit = QuantumCircuit(1)
    circuit.ry(A[0].sin(), 0)
    request = ([circuit], [SparsePauliOp("Z")], [[0.3]])
    before = gradient.run(*request).result()
    again = pickle.loads(pickle.dumps(gradient)).run(*request).result()
    np.testing.assert_array_equal(before.gradients[0], again.gradients[0])


def test_a_pass_manager_transpiles_once_and_moves_the_observables(counting_statevector):
    device = GenericBackendV2(4, basis_gates=["rz", "sx", "x", "cx"], seed=3)
    manager = generate_preset_pass_manager(2, target=device.target, seed_transpiler=5)
    calls = []

    class Counted:
        def run(self, circuit):
            calls.append(circuit)
            return manager.run(circuit)

    gradient = BatchedEstimatorGradient(counting_statevector, pass_manager=Counted())
    request = ([two_qubits()] * 2, [Z0, XX], VALUES[:2])
    ours = gradient.run(*request).result()
    assert_same(gradient.run(*request).result(), stock(request))
    assert_same(ours, stock(request))
    assert len(calls) == 1
    sent = counting_statevector.calls[0][0][0][0]
    assert sent.num_qubits == 4
    assert {item.name for item in sent.data} <= {"rz", "sx", "x", "cx"}


@pytest.mark.parametrize("name", ["aer", "statevector"])
def test_open_backends_without_noise(name):
    request = ([two_qubits()] * 2, [Z0, XX], VALUES[:2])
    ours = BatchedEstimatorGradient(open_backend(name).estimator()).run(*request).result()
    for mine, other in zip(ours.gradients, stock(request).gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-6)  # complex64 by default


def test_a_noisy_device_gives_what_stock_gives_on_it():
    shots = 20_000
    request = ([two_qubits()] * 2, [Z0, XX], VALUES[[0, 0]])
    noisy = open_backend("noisy:fake_manila", shots=shots, seed=11).estimator()
    ours = BatchedEstimatorGradient(noisy).run(*request).result()
    theirs = stock(request, open_backend("noisy:fake_manila", shots=shots, seed=12).estimator())
    # A[0] sums two derivatives, each half a difference of two values of |O| ≤ 2
    sigma = 2 * np.sqrt(2 / shots)
    for mine, other in zip(ours.gradients, theirs.gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=5 * sigma)
    exact = np.array(stock(request).gradients)
    assert 10 * sigma < np.abs(exact).max()
    np.testing.assert_allclose(ours.gradients, exact, atol=0.25)


@pytest.mark.slow
def test_aer_is_twenty_times_faster_than_with_the_stock_gradient():
    """8 qubits, 56 weights, 8 observables, 8 samples; stock's time is 8 times that of one."""
    x, w = ParameterVector("x", 8), ParameterVector("w", 56)
    circuit = QuantumCircuit(8)
    for qubit in range(8):
        circuit.ry(x[qubit], qubit)
    for layer in range(7):
        for qubit in range(8):
            (circuit.rz if layer % 2 else circuit.ry)(w[8 * layer + qubit], qubit)
        if layer % 2:
            for qubit in range(8):
                circuit.cx(qubit, (qubit + 1) % 8)
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(8, 8)), rng.normal(size=56)
    aer = AerEstimator()
    seconds, gradients = [], []
    for gradient, samples in ((None, 1), (BatchedEstimatorGradient(aer), 8)):
        network = EstimatorQNN(
            circuit=circuit,
            estimator=aer,
            observables=z_observables(8),
            input_params=list(x),
            weight_params=list(w),
            gradient=gradient,
        )
        start = time.perf_counter()
        gradients.append(network.backward(rows[:samples], weights)[1])
        seconds.append((time.perf_counter() - start) / samples)
    np.testing.assert_allclose(gradients[0], gradients[1][:1], atol=1e-8)
    print(f"stock {8 * seconds[0]:.1f} s, batched {8 * seconds[1]:.2f} s")
    assert seconds[0] / seconds[1] > 20
