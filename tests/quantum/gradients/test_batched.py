"""What is sent, and where the answers go."""

import pickle
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
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
from qvlm_qiskit.quantum import z_observables
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from tests.quantum.gradients.requests import (
    VALUES,
    XX,
    Z0,
    Z1,
    A,
    B,
    assert_same,
    rows_sent,
    stock,
    two_qubits,
)


def test_one_call_and_one_pub_for_all_vectors_and_observables(counting_statevector):
    circuit = two_qubits()
    request = ([circuit] * 6, [Z0, Z0, Z0, XX, XX, XX], np.tile(VALUES, (2, 1)))
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    # three vectors, four gate angles, two shifts
    assert rows_sent(counting_statevector.calls) == [(24,)]
    pub = EstimatorPub.coerce(counting_statevector.calls[0][0][0])
    assert pub.observables.shape == (2, 1)
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
        start = time.process_time()  # whatever else this machine has to do
        gradients.append(network.backward(rows[:samples], weights)[1])
        seconds.append((time.process_time() - start) / samples)
    np.testing.assert_allclose(gradients[0], gradients[1][:1], atol=1e-8)
    print(f"stock {8 * seconds[0]:.1f} s, batched {8 * seconds[1]:.2f} s")
    assert seconds[0] / seconds[1] > 20
