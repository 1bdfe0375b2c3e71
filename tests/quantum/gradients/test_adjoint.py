"""The sweep has the values of the shifts, or it refuses."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, random_unitary
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_aer.primitives import EstimatorV2 as AerEstimator
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BackendError, CircuitError
from qvlm_qiskit.quantum import AmplitudeEncoding, TorchEstimator
from qvlm_qiskit.quantum.gradients import adjoint as adjoint_module
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient

P = ParameterVector("p", 4)
E = ParameterVector("e", 7)
OBSERVABLES = [
    SparsePauliOp(["IIIZ", "XYII"], [1.0, 0.7]),
    SparsePauliOp(["YIIX", "ZZIZ", "IIII", "IXII"], [-0.4, 1.2, 3.0, 0.3]),
]
EXACT = {
    "torch": lambda: TorchEstimator(dtype="complex128"),
    "torch complex64": TorchEstimator,
    "statevector": StatevectorEstimator,
    "qml": QMLEstimator,
    "aer": AerEstimator,
}


def plain():
    """Qubit 2 is idle; observables act on it all the same."""
    circuit = QuantumCircuit(4, global_phase=P[1])
    circuit.h([0, 1, 3])
    circuit.ry(P[0] * P[1], 0)
    circuit.crx(P[2], 0, 3)
    circuit.unitary(random_unitary(4, seed=1), [3, 0])
    circuit.rzx(P[2] - P[3], 3, 1)
    circuit.u(P[3], P[0].sin(), 0.4, 1)
    circuit.swap(0, 1)
    circuit.ryy(P[0], 0, 1)
    return circuit


def encoded():
    circuit = QuantumCircuit(4)
    circuit.append(AmplitudeEncoding(list(E)), [0, 1, 3])
    circuit.ry(P[0], 0)
    circuit.cx(0, 3)
    circuit.rx(P[1], 3)
    return circuit.decompose("amplitude_encoding")


def encoded_by_the_gate():
    circuit = QuantumCircuit(4)
    circuit.append(AmplitudeEncoding([*E[:6], 2 * E[6]]), [0, 1, 3])
    circuit.ry(P[0], 0)
    circuit.cx(0, 3)
    circuit.rx(P[1], 3)
    return circuit


def wide_encoding():
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(E)), [0, 1, 2])
    circuit.ry(P[0], 0)
    circuit.cx(0, 2)
    circuit.rx(P[1] + E[2], 2)
    return circuit


def request(circuit, vectors=3, parameters=None):
    observables = OBSERVABLES
    if circuit.num_qubits == 3:
        observables = [SparsePauliOp("IZZ"), SparsePauliOp(["XYI", "ZIZ"], [0.3, -2.0])]
    values = np.random.default_rng(7).uniform(-2, 2, (vectors, circuit.num_parameters))
    count = len(observables) * vectors
    return (
        [circuit] * count,
        [observable for observable in observables for _ in range(vectors)],
        np.tile(values, (len(observables), 1)),
        None if parameters is None else [parameters] * count,
    )


def shifted(entries):
    return BatchedEstimatorGradient(TorchEstimator(dtype="complex128")).run(*entries).result()


@pytest.mark.parametrize("make", [plain, encoded], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", EXACT)
def test_adjoint_gives_what_the_shifts_give(name, make):
    entries = request(make())
    ours = BatchedEstimatorGradient(EXACT[name](), "adjoint").run(*entries).result()
    theirs = shifted(entries)
    assert ours.metadata == theirs.metadata
    np.testing.assert_allclose(ours.gradients, theirs.gradients, atol=1e-8)
    assert np.abs(theirs.gradients).max() > 0.1


@pytest.mark.parametrize("make", [encoded_by_the_gate, wide_encoding], ids=lambda f: f.__name__)
def test_amplitude_encoding_is_differentiated_too(make):
    entries = request(make())
    ours = BatchedEstimatorGradient(TorchEstimator(), "adjoint").run(*entries).result()
    np.testing.assert_allclose(ours.gradients, shifted(entries).gradients, atol=1e-8)


@pytest.mark.parametrize("chosen", [[P[1]], [P[0], E[3]], [E[6], P[0]], []])
def test_subsets_of_parameters(chosen):
    entries = request(wide_encoding(), parameters=chosen)
    ours = BatchedEstimatorGradient(TorchEstimator(), "adjoint").run(*entries).result()
    np.testing.assert_allclose(ours.gradients, shifted(entries).gradients, atol=1e-8)


def test_no_pubs_are_sent(monkeypatch):
    monkeypatch.setattr(TorchEstimator, "run", None)
    gradient = BatchedEstimatorGradient(TorchEstimator(), "adjoint")
    gradient.run(*request(plain())).result()


def test_batches_larger_than_a_chunk(monkeypatch):
    entries = request(plain(), vectors=5)
    whole = BatchedEstimatorGradient(AerEstimator(), "adjoint").run(*entries).result()
    sizes, chunk = [], adjoint_module.AdjointSweep._chunk

    def counted(self, values, *rest):
        sizes.append(len(values))
        return chunk(self, values, *rest)

    monkeypatch.setattr(adjoint_module.AdjointSweep, "_chunk", counted)
    monkeypatch.setattr(adjoint_module, "MAX_AMPLITUDES", 2 * 3 * 8)
    parts = BatchedEstimatorGradient(AerEstimator(), "adjoint").run(*entries).result()
    np.testing.assert_allclose(whole.gradients, parts.gradients, atol=1e-12)
    assert max(sizes) == 2


class Subclass(TorchEstimator):
    """May do anything in run."""


NOISE = NoiseModel()
NOISE.add_all_qubit_quantum_error(depolarizing_error(0.01, 1), "ry")

INEXACT = {
    "precision": lambda: TorchEstimator(default_precision=0.01),
    "Subclass": Subclass,
    "default precision is 0.1": lambda: StatevectorEstimator(default_precision=0.1),
    "default precision is 0.2": lambda: QMLEstimator(default_precision=0.2),
    "default precision is 0.3": lambda: AerEstimator(options={"default_precision": 0.3}),
    "noise model": lambda: AerEstimator(options={"backend_options": {"noise_model": NOISE}}),
    "noise model?": lambda: AerEstimator.from_backend(GenericBackendV2(4, seed=1)),
    "matrix_product_state": lambda: AerEstimator.from_backend(
        AerSimulator(method="matrix_product_state")
    ),
    "single": lambda: AerEstimator(options={"backend_options": {"precision": "single"}}),
    "Compiled": lambda: open_backend("aer").estimator(),
    "Compiled?": lambda: open_backend("noisy:fake_manila", shots=100).estimator(),
}


@pytest.mark.parametrize("name", INEXACT)
def test_estimators_that_are_not_exact_are_refused(name):
    with pytest.raises(BackendError, match=name.rstrip("?")) as caught:
        BatchedEstimatorGradient(INEXACT[name](), "adjoint")
    assert "param_shift" in str(caught.value)


def test_a_precision_is_refused():
    with pytest.raises(BackendError, match=r"precision=0\.1"):
        BatchedEstimatorGradient(TorchEstimator(), "adjoint", precision=0.1)
    gradient = BatchedEstimatorGradient(TorchEstimator(), "adjoint", precision=0.0)
    entries = request(plain())
    with pytest.raises(BackendError, match=r"precision=0\.1"):
        gradient.run(*entries, precision=0.1)
    gradient.run(*entries).result()


def test_an_estimator_that_became_inexact_is_refused():
    estimator = AerEstimator()
    gradient = BatchedEstimatorGradient(estimator, "adjoint")
    estimator.options.default_precision = 0.1
    with pytest.raises(BackendError, match="default precision"):
        gradient.run(*request(plain()))


def test_what_has_no_exact_gradient_is_named():
    repeated = QuantumCircuit(4, 1)
    repeated.ry(P[0], 0)
    repeated.measure(0, 0)
    with repeated.while_loop((repeated.clbits[0], 1)):
        repeated.x(0)
    gradient = BatchedEstimatorGradient(TorchEstimator(), "adjoint")
    with pytest.raises(CircuitError, match="while_loop"):
        gradient.run([repeated], OBSERVABLES[:1], [[0.1]]).result()
    complex_sum = SparsePauliOp(["IIIZ"], [1j])
    with pytest.raises(ValueError, match="Hermitian"):
        gradient.run([plain()], [complex_sum], [np.ones(4)]).result()


def test_what_aer_cannot_run_is_an_error():
    circuit = QuantumCircuit(4)
    circuit.ry(P[0], 0)
    circuit.append(Gate("mystery", 1, []), [0])
    gradient = BatchedEstimatorGradient(AerEstimator(), "adjoint")
    with pytest.raises(Exception, match="mystery"):
        gradient.run([circuit], OBSERVABLES[:1], [[0.1]]).result()
