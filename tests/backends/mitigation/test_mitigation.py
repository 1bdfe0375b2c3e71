import builtins
from typing import ClassVar

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices.sampling import ReducedSimulator, SampledEstimator
from qvlm_qiskit.backends.mitigation import ReadoutMitigated, ZeroNoiseExtrapolated
from qvlm_qiskit.backends.mitigation.folding import fold_two_qubit_gates
from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights
from qvlm_qiskit.errors import MissingDependencyError, MitigationError

TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=4)
FLIPS = [(0.02, 0.11), (0.05, 0.01), (0.0, 0.2), (0.08, 0.08)]


def readout_only(flips=FLIPS, seed=1):
    """A device whose only error is its readout; device qubit i errs as flips[i] says."""

    def reduced(qubits):
        model = NoiseModel(basis_gates=["rz", "sx", "x", "cz"])
        for position, qubit in enumerate(qubits):
            up, down = flips[qubit]
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [position])
        return ReducedSimulator(AerSimulator(noise_model=model, method="density_matrix"), TARGET)

    return SampledEstimator(reduced, seed, default_precision=0.005)


def entangled(num_qubits=4):
    circuit = QuantumCircuit(num_qubits)
    theta = Parameter("theta")
    for qubit in range(num_qubits):
        circuit.rz(0.4 * qubit, qubit)
        circuit.sx(qubit)
        circuit.rz(theta, qubit)
        circuit.sx(qubit)
    for qubit in range(num_qubits - 1):
        circuit.cz(qubit, qubit + 1)
    for qubit in range(num_qubits):
        circuit.rz(0.5 + 0.3 * qubit, qubit)
        circuit.sx(qubit)
    return circuit


def test_readout_mitigation_recovers_exact_values(within_errors):
    circuit = entangled()
    observables = [[o] for o in ("IIIZ", "ZIII", "ZZZZ", "XIYI", "IXZX")]
    observables.append([SparsePauliOp(["ZIIZ", "IIII", "IXXI"], [1.0, 0.5, -0.7])])
    values = [[0.3], [1.1], [2.0]]
    expected = StatevectorEstimator().run([(circuit, observables, values)]).result()[0].data.evs
    raw = readout_only().run([(circuit, observables, values)]).result()[0]
    estimator = ReadoutMitigated(readout_only(), TARGET, calibration_shots=200_000)
    mitigated = estimator.run([(circuit, observables, values)], precision=0.005).result()[0]
    within_errors(mitigated, expected)
    assert np.abs(raw.data.evs - expected).max() > 0.1
    assert np.abs(mitigated.data.evs - expected).max() < 0.03


def test_the_calibration_is_that_of_the_readout():
    estimator = ReadoutMitigated(readout_only(), TARGET, calibration_shots=100_000)
    metadata = estimator.run([(entangled(), "ZZZZ", [0.1])], precision=0.05).result()[0].metadata
    report = metadata["mitigation"][0]["calibration"]
    assert report["qubits"] == [0, 1, 2, 3]
    assert report["contrast"] == pytest.approx([1 - up - down for up, down in FLIPS], abs=0.01)
    assert report["offset"] == pytest.approx([down - up for up, down in FLIPS], abs=0.01)
    assert report["executions"] == 2 * report["shots"] == 200_000
    assert metadata["technique"] == "readout"
    assert metadata["mitigation"][0]["executions"] == metadata["executions"] == 400


def test_the_calibration_runs_once_per_set_of_qubits():
    class Counting(SampledEstimator):
        jobs = 0

        def run(self, pubs, *, precision=None):
            Counting.jobs += 1
            return super().run(pubs, precision=precision)

    inner = Counting(readout_only()._reduced, 1)
    estimator = ReadoutMitigated(inner, TARGET)
    for _ in range(3):
        estimator.run([(entangled(), "IIZZ", [0.1]), (entangled(), "IIXY", [0.3])], precision=0.1)
    assert Counting.jobs == 1 + 3
    estimator.run([(entangled(), "ZIZZ", [0.1])], precision=0.1)
    assert Counting.jobs == 1 + 3 + 2


def test_standard_errors_carry_the_amplification():
    raw = readout_only().run([(entangled(), "ZZZZ", [0.3])]).result()[0].data.stds
    mitigated = ReadoutMitigated(readout_only(), TARGET).run(
        [(entangled(), "ZZZZ", [0.3])], precision=0.005
    )
    amplification = np.prod([1 / (1 - up - down) for up, down in FLIPS])
    assert mitigated.result()[0].data.stds > 0.9 * amplification * raw


def test_a_readout_without_information_is_refused():
    estimator = ReadoutMitigated(readout_only([(0.5, 0.48)] * 4), TARGET)
    with pytest.raises(MitigationError, match="hardly depends"):
        estimator.run([(entangled(), "IIIZ", [0.1])], precision=0.1)


def test_strings_that_would_explode_are_refused():
    wide = Target.from_configuration(["rz", "sx", "x", "cz"], num_qubits=13)
    estimator = ReadoutMitigated(readout_only([(0.0, 0.1)] * 13), wide, calibration_shots=100)
    with pytest.raises(MitigationError, match="13 qubits"):
        estimator.run([(QuantumCircuit(13), "Z" * 13)], precision=0.1)
    with pytest.raises(MitigationError, match="precision"):
        estimator.run([(QuantumCircuit(2), "ZZ")])


@pytest.mark.parametrize("factor", [1, 3, 5])
def test_folding_keeps_the_unitary_and_multiplies_the_gates(factor):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.ecr(1, 2)
    circuit.cz(2, 0)
    circuit.swap(0, 1)
    folded = fold_two_qubit_gates(circuit, factor)
    assert Operator(folded).equiv(Operator(circuit))
    assert folded.num_nonlocal_gates() == factor * circuit.num_nonlocal_gates()
    assert folded.count_ops()["h"] == 1
    assert folded.count_ops()["barrier"] == 1


def test_gates_that_are_not_their_own_inverse_are_refused():
    circuit = QuantumCircuit(2)
    circuit.append(RZZGate(0.3), [0, 1])
    with pytest.raises(MitigationError, match="'rzz'"):
        fold_two_qubit_gates(circuit, 3)


@pytest.mark.parametrize("factors", [(1, 2, 3), (3, 5), (), (1, -1)])
def test_impossible_scale_factors_are_refused(factors):
    with pytest.raises(MitigationError, match="odd whole numbers"):
        ZeroNoiseExtrapolated(StatevectorEstimator(), factors)


def test_weights_extrapolate_polynomials_exactly():
    scales = (1.0, 3.0, 5.0)
    line = [0.8 - 0.1 * s for s in scales]
    parabola = [0.8 - 0.1 * s + 0.01 * s**2 for s in scales]
    assert np.dot(zero_noise_weights("linear", scales), line) == pytest.approx(0.8)
    for name in ("richardson", "quadratic"):
        assert np.dot(zero_noise_weights(name, scales), parabola) == pytest.approx(0.8)
    # The least-squares line through three equidistant points, by hand.
    assert zero_noise_weights("linear", scales) == pytest.approx((13 / 12, 1 / 3, -5 / 12))


@pytest.mark.parametrize(
    ("name", "scales"), [("cubic", (1.0, 3.0)), ("linear", (1.0,)), ("quadratic", (1.0, 3.0))]
)
def test_impossible_extrapolations_are_refused(name, scales):
    with pytest.raises(MitigationError):
        zero_noise_weights(name, scales)


def test_a_missing_mitiq_is_named(monkeypatch):
    plain_import = builtins.__import__

    def without_mitiq(name, *arguments, **options):
        if name.startswith("mitiq"):
            raise ImportError(name)
        return plain_import(name, *arguments, **options)

    zero_noise_weights.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_mitiq)
    with pytest.raises(MissingDependencyError, match=r"qvlm-qiskit\[mitigation\]"):
        open_backend("noisy:fake_manila", mitigation="zne")
    open_backend("noisy:fake_manila", mitigation="readout")


def test_zero_noise_extrapolation_reduces_a_depolarizing_error(make_circuit, values_for, exact):
    circuit = make_circuit(layers=3)
    values = values_for(circuit, (12,))
    observables = [["ZII"], ["IZI"], ["IIZ"], ["ZZI"]]
    expected = exact(circuit, observables, values)
    errors = {}
    for mitigation in ("none", "zne"):
        backend = open_backend(
            "noisy:depolarizing(0.02,0)", shots=20_000, seed=7, mitigation=mitigation
        )
        result = backend.estimator().run([(circuit, observables, values)]).result()[0]
        errors[mitigation] = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert errors["zne"] < 0.5 * errors["none"]
    entry = result.metadata["mitigation"][0]
    assert (entry["technique"], entry["overhead"]) == ("zne", 3.0)
    assert entry["executions"] == 3 * 12 * 20_000


def test_errors_propagate_through_the_extrapolation():
    """The spread over repetitions is the stated standard error."""
    backend = open_backend("noisy:depolarizing(0.02)", shots=200, seed=1, mitigation="zne")
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    data = backend.estimator().run([(circuit, "ZI", np.full((400, 1), 1.1))]).result()[0].data
    assert np.std(data.evs) == pytest.approx(np.mean(data.stds), rel=0.15)


def test_all_scale_factors_run_in_one_inner_job():
    class Counting(StatevectorEstimator):
        jobs: ClassVar[list[list[int]]] = []

        def run(self, pubs, *, precision=None):
            pubs = list(pubs)
            self.jobs.append([pub.circuit.num_nonlocal_gates() for pub in pubs])
            return super().run(pubs, precision=precision)

    estimator = ZeroNoiseExtrapolated(Counting())
    results = estimator.run([(entangled(), "ZZZZ", [0.1]), (entangled(2), "ZZ", [0.2])]).result()
    assert Counting.jobs == [[3, 9, 15, 1, 3, 5]]
    assert len(results) == 2
    exact = StatevectorEstimator().run([(entangled(2), "ZZ", [0.2])]).result()[0].data.evs
    assert results[1].data.evs == pytest.approx(exact)


@pytest.mark.parametrize("name", ["noisy:fake_lagos", "fake_lagos"])
def test_both_techniques_together_come_closer(name, make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (8,))
    observables = [["ZII"], ["IZI"], ["IIZ"], ["ZZZ"]]
    expected = exact(circuit, observables, values)
    errors = {}
    for mitigation in ("none", "readout+zne"):
        backend = open_backend(name, shots=10_000, seed=3, mitigation=mitigation)
        result = backend.estimator().run([(circuit, observables, values)]).result()[0]
        errors[mitigation] = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert errors["readout+zne"] < 0.7 * errors["none"]
    assert result.metadata["technique"].endswith("readout+zne")
    assert result.metadata["executions"] == 3 * 8 * 10_000
