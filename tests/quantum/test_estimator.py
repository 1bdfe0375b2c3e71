import copy
import pickle

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp

from qvlm_qiskit.errors import BackendError, InputError
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.estimator import LARGE_QUBITS
from qvlm_qiskit.quantum.program.program import compile_circuit

T = ParameterVector("t", 2)


def circuit_of_two():
    circuit = QuantumCircuit(2)
    circuit.ry(T[0], 0)
    circuit.rx(T[1], 1)
    circuit.cx(0, 1)
    circuit.rz(T[0] + 0.3, 1)
    circuit.h(0)
    return circuit


def bell():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


ROWS = np.random.default_rng(0).uniform(-3, 3, (5, 2))
OBSERVABLES = [SparsePauliOp("ZZ"), SparsePauliOp("XI"), SparsePauliOp(["YX", "IZ"], [0.5, 2.0])]

PUBS = {
    "one value": (circuit_of_two(), "ZZ", ROWS[0]),
    "a pauli": (circuit_of_two(), Pauli("-XY"), ROWS[0]),
    "a sparse observable": (circuit_of_two(), SparseObservable("ZX"), ROWS[0]),
    "a dictionary": (circuit_of_two(), {"ZZ": 0.5, "XI": -2.0}, ROWS),
    "dictionaries": (circuit_of_two(), [{"ZZ": 0.5, "XI": -2.0}, {"II": 3.0}], ROWS[0]),
    "rows": (circuit_of_two(), "IY", ROWS),
    "observables": (circuit_of_two(), OBSERVABLES, ROWS[0]),
    "observables × rows": (circuit_of_two(), [[o] for o in OBSERVABLES], ROWS),
    "rows × observables": (circuit_of_two(), OBSERVABLES, ROWS[:, None]),
    "zipped": (circuit_of_two(), OBSERVABLES, ROWS[:3]),
    "two axes of rows": (circuit_of_two(), "ZI", np.stack([ROWS, -ROWS, ROWS / 2])),
    "two axes of each": (
        circuit_of_two(),
        [[[OBSERVABLES[0]]], [[OBSERVABLES[2]]]],
        np.stack([ROWS, -ROWS, ROWS / 2]),
    ),
    "one row of one": (circuit_of_two(), [["ZZ"]], ROWS[:1]),
    "named values": (circuit_of_two(), [["ZZ"], ["XX"]], {T[1]: ROWS[:, 1], T[0]: ROWS[:, 0]}),
    "values of a vector": (circuit_of_two(), "ZZ", {T: ROWS}),
    "repeated observables": (circuit_of_two(), [["ZZ"], ["XX"], ["ZZ"]], ROWS),
    "no parameters": (bell(), "ZZ"),
    "no parameters, observables": (bell(), ["ZZ", "XX", "ZI"]),
    "no parameters, two axes": (bell(), [["ZZ", "XX"], ["YY", "ZI"]]),
    "no parameters, empty rows": (bell(), "XX", BindingsArray(None, shape=(3,))),
}


@pytest.mark.parametrize("name", PUBS)
def test_pubs_mean_what_they_mean_to_qiskits_reference(name):
    pub = PUBS[name]
    result = TorchEstimator(dtype="complex128").run([pub]).result()[0]
    reference = StatevectorEstimator().run([pub]).result()[0]
    assert np.shape(result.data.evs) == np.shape(reference.data.evs)
    assert result.data.shape == reference.data.shape
    np.testing.assert_allclose(result.data.evs, reference.data.evs, atol=1e-10, rtol=0)
    np.testing.assert_array_equal(result.data.stds, np.zeros_like(reference.data.evs))


def test_a_job_keeps_the_order_of_its_pubs():
    pubs = [PUBS["observables × rows"], PUBS["rows"], PUBS["zipped"]]
    result = TorchEstimator(dtype="complex128").run(pubs).result()
    reference = StatevectorEstimator().run(pubs).result()
    assert len(result) == 3
    for ours, theirs in zip(result, reference, strict=True):
        np.testing.assert_allclose(ours.data.evs, theirs.data.evs, atol=1e-10)


def test_the_default_is_exact_and_of_single_precision():
    estimator = TorchEstimator()
    assert isinstance(estimator, BaseEstimatorV2)
    result = estimator.run([PUBS["observables × rows"]]).result()[0]
    reference = StatevectorEstimator().run([PUBS["observables × rows"]]).result()[0]
    np.testing.assert_allclose(result.data.evs, reference.data.evs, atol=1e-5)
    assert not result.data.stds.any()
    assert result.metadata["exact"] is True
    assert result.metadata["target_precision"] == 0
    again = estimator.run([PUBS["observables × rows"]]).result()[0]
    np.testing.assert_array_equal(again.data.evs, result.data.evs)


def test_the_circuits_metadata_comes_back():
    circuit = circuit_of_two()
    circuit.metadata = {"name": "mine"}
    result = TorchEstimator().run([(circuit, "ZZ", ROWS)]).result()[0]
    assert result.metadata["circuit_metadata"] == {"name": "mine"}


@pytest.mark.parametrize("how", ["call", "pub", "default"])
def test_a_precision_draws_around_the_exact_value_with_that_deviation(how):
    precision, size = 0.05, 4000
    rows = np.tile(ROWS[0], (size, 1))
    exact = StatevectorEstimator().run([(circuit_of_two(), "ZI", ROWS[0])]).result()[0].data.evs
    if how == "call":
        job = TorchEstimator(seed=1).run([(circuit_of_two(), "ZI", rows)], precision=precision)
    elif how == "pub":
        job = TorchEstimator(seed=1).run([(circuit_of_two(), "ZI", rows, precision)])
    else:
        estimator = TorchEstimator(seed=1, default_precision=precision)
        job = estimator.run([(circuit_of_two(), "ZI", rows)])
    result = job.result()[0]
    errors = result.data.evs - exact
    assert abs(errors.mean()) < 4 * precision / size**0.5
    assert errors.std() == pytest.approx(precision, rel=0.06)
    np.testing.assert_array_equal(result.data.stds, np.full(size, precision))
    assert result.metadata["exact"] is False
    assert result.metadata["target_precision"] == precision


def test_the_pubs_precision_wins_over_the_calls_and_the_calls_over_the_default():
    estimator = TorchEstimator(seed=1, default_precision=0.1)
    exact = estimator.run([(circuit_of_two(), "ZI", ROWS)], precision=0).result()[0]
    reference = StatevectorEstimator().run([(circuit_of_two(), "ZI", ROWS)]).result()[0]
    np.testing.assert_allclose(exact.data.evs, reference.data.evs, atol=1e-5)
    mixed = estimator.run(
        [(circuit_of_two(), "ZI", ROWS, 0.2), (circuit_of_two(), "ZI", ROWS)], precision=0.3
    ).result()
    assert [r.data.stds[0] for r in mixed] == [0.2, 0.3]


def test_one_scalar_value_may_be_sampled():
    result = TorchEstimator(seed=1).run([(circuit_of_two(), "ZI", ROWS[0])], precision=0.1).result()
    assert np.shape(result[0].data.evs) == ()
    assert float(result[0].data.stds) == 0.1


def sampled(seed):
    job = TorchEstimator(seed=seed).run([(circuit_of_two(), ["ZI"], ROWS)], precision=0.1)
    return job.result()[0].data.evs


def test_samples_are_the_seeds():
    np.testing.assert_array_equal(sampled(3), sampled(3))
    assert not np.array_equal(sampled(3), sampled(4))
    assert not np.array_equal(sampled(None), sampled(None))


def test_samples_of_two_jobs_do_not_depend_on_which_one_is_read_first():
    wide = QuantumCircuit(12)
    theta = Parameter("a")
    for qubit in range(12):
        wide.ry(theta, qubit)
        wide.cx(qubit, (qubit + 1) % 12)
    first, second = (wide, ["Z" * 12], [[0.1]] * 20), (circuit_of_two(), ["ZZ"], ROWS[:1])

    def run(wait):
        estimator = TorchEstimator(seed=3)
        one = estimator.run([first], precision=0.1)
        if wait:
            one.result()
        two = estimator.run([second], precision=0.1)
        return [*one.result()[0].data.evs, *two.result()[0].data.evs]

    np.testing.assert_array_equal(run(wait=True), run(wait=False))


def test_values_of_many_rows_and_observables_equal_the_twin(twin):
    values = TorchEstimator(dtype="complex128").values(circuit_of_two(), OBSERVABLES, ROWS)
    np.testing.assert_allclose(values, twin(circuit_of_two(), OBSERVABLES, ROWS), atol=1e-10)


def test_parameters_are_bound_by_the_circuits_own_order():
    b, a = Parameter("b"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(b, 0)
    circuit.ry(a, 1)
    values = TorchEstimator().run([(circuit, ["IZ", "ZI"], [0.1, 1.5])]).result()[0].data.evs
    np.testing.assert_allclose(values, np.cos([1.5, 0.1]), atol=1e-6)


def test_pubs_that_qiskit_refuses_are_refused():
    with pytest.raises(ValueError, match="inconsistent"):
        TorchEstimator().run([(circuit_of_two(), "ZZ", [0.1])])
    with pytest.raises(ValueError, match="qubits"):
        TorchEstimator().run([(circuit_of_two(), "ZZZ", ROWS)])
    with pytest.raises(ValueError, match="Hermitian"):
        TorchEstimator().run([(circuit_of_two(), SparsePauliOp("ZZ", 1j), ROWS)])
    with pytest.raises(ValueError, match=r"[Pp]recision"):
        TorchEstimator().run([(circuit_of_two(), "ZZ", ROWS)], precision=-0.1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dtype": "float32"}, InputError, "complex64, complex128"),
        ({"default_precision": -1.0}, InputError, "-1"),
        ({"default_precision": float("nan")}, InputError, "nan"),
        ({"noise_model": object()}, InputError, "must be a NoiseSpec, got object"),
    ],
)
def test_unusable_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        TorchEstimator(**options)


def test_a_missing_cuda_device_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(BackendError, match="cuda"):
        TorchEstimator(device="cuda")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_estimators_can_be_copied_and_pickled(duplicate):
    estimator = duplicate(TorchEstimator(dtype="complex128", seed=5, default_precision=0.1))
    assert (estimator.dtype, estimator.seed, estimator.default_precision) == ("complex128", 5, 0.1)
    job = estimator.run([(circuit_of_two(), ["ZI"], ROWS)])
    np.testing.assert_allclose(job.result()[0].data.evs, sampled(5), atol=1e-5)


@pytest.fixture
def compilations(monkeypatch):
    """The circuits that are compiled while the fixture is in use."""
    found = []

    def listening(circuit, *given):
        found.append(circuit)
        return compile_circuit(circuit, *given)

    monkeypatch.setattr("qvlm_qiskit.quantum.statevector.by_cones.compile_circuit", listening)
    return found


def test_a_circuit_is_compiled_once(compilations):
    estimator, pub = TorchEstimator(), (circuit_of_two(), OBSERVABLES[0], ROWS[0])
    first = estimator.run([pub, pub]).result()
    again = estimator.run([(circuit_of_two(), OBSERVABLES[0], ROWS[0])]).result()
    assert len(compilations) == 1
    np.testing.assert_array_equal(first[1].data.evs, again[0].data.evs)
    estimator.run([(circuit_of_two(), OBSERVABLES[1], ROWS[0])]).result()
    assert len(compilations) == 2  # what an observable doesn't see is left out


def test_a_circuit_that_is_changed_in_place_is_compiled_again(compilations):
    estimator, circuit = TorchEstimator(), circuit_of_two()
    before = estimator.run([(circuit, "ZI", ROWS[0])]).result()[0].data.evs
    circuit.x(1)
    after = estimator.run([(circuit, "ZI", ROWS[0])]).result()[0].data.evs
    assert len(compilations) == 2
    np.testing.assert_allclose(after, -before, atol=1e-6)


def test_of_large_circuits_only_the_last_one_is_kept(compilations):
    estimator = TorchEstimator()
    for width in (LARGE_QUBITS + 1, LARGE_QUBITS + 1, LARGE_QUBITS + 2, LARGE_QUBITS + 1):
        circuit = QuantumCircuit(width)
        circuit.h(range(width))
        estimator.run([(circuit, "X" * width)]).result()
    assert [circuit.num_qubits - LARGE_QUBITS for circuit in compilations] == [1, 2, 1]
