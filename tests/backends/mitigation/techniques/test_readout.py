"""Readout mitigation: its calibration, its values and their errors."""

from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import PrimitiveResult, StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qvlm_qiskit.backends.devices.sampling import ReducedSimulator, SampledEstimator
from qvlm_qiskit.backends.mitigation import ReadoutMitigated
from qvlm_qiskit.backends.mitigation.techniques.readout import ReadoutCalibration
from qvlm_qiskit.errors import MitigationError
from tests.backends.mitigation.circuits import answered, entangled

TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=4)
FLIPS = [(0.02, 0.11), (0.05, 0.01), (0.0, 0.2), (0.08, 0.08)]


def readout_only(flips=FLIPS, seed=1):
    """A device whose only error is its readout; device qubit i errs as flips[i] says."""

    def reduced(qubits):
        model = NoiseModel(basis_gates=["rz", "sx", "x", "cz"])
        for position, qubit in enumerate(qubits):
            up, down = flips[qubit]
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [position])
        simulator = AerSimulator(noise_model=model, method="density_matrix")
        return ReducedSimulator(lambda: simulator, TARGET)

    return SampledEstimator(reduced, seed, default_precision=0.005)


@pytest.mark.slow
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


@pytest.mark.parametrize("value", [-0.9, 0.0, 0.4])
def test_a_calibrations_error_is_that_of_the_inverted_value(value):
    up, down, step = 0.94, -0.7, 1e-6
    calibration = ReadoutCalibration(
        {3: (up - down) / 2}, {3: (up + down) / 2}, {3: 0.02}, {3: 0.05}, shots=100
    )
    measured = (up - down) / 2 * value + (up + down) / 2

    def inverted(up, down):
        return (measured - (up + down) / 2) / ((up - down) / 2)

    by_up = (inverted(up + step, down) - inverted(up - step, down)) / (2 * step)
    by_down = (inverted(up, down + step) - inverted(up, down - step)) / (2 * step)
    expected = np.hypot(0.02 * by_up, 0.05 * by_down)
    assert calibration.error([3], np.array(value)) == pytest.approx(expected, rel=1e-6)


def test_stated_errors_hold_those_of_the_shots_and_of_the_calibration():
    """The second value is a sum: its terms' calibration errors add up, the worst of each."""
    observables = ["IZ", SparsePauliOp(["IZ", "ZI"], [2.0, 0.5])]
    up, down = ([0.94, 0.9], [0.02, 0.01]), ([-0.7, -0.8], [0.05, 0.03])
    answers = iter([answered(*up), answered(*down), answered([0.4, 1.0], [0.03, 0.04])])

    class Stated:
        def run(self, pubs):
            found = PrimitiveResult([next(answers) for _ in pubs])
            return SimpleNamespace(job_id=lambda: "1", result=lambda: found)

    pub = (QuantumCircuit(2), observables, None, 0.05)
    (found,) = ReadoutMitigated(Stated(), TARGET).run([pub]).result()
    calibration = ReadoutCalibration(
        {0: 0.82, 1: 0.85}, {}, {0: 0.02, 1: 0.01}, {0: 0.05, 1: 0.03}, shots=100
    )
    first, second = (calibration.error([q], np.array([1.0, -1.0])).max() for q in (0, 1))
    own = [calibration.error([0], np.array(0.4)), 2.0 * first + 0.5 * second]
    np.testing.assert_allclose(found.data.stds, np.hypot([0.03, 0.04], own))


@pytest.mark.parametrize(("value", "rest"), [(0.4, -1.0), (-0.4, 1.0)])
def test_of_several_factors_the_worse_value_of_the_others_counts(value, rest):
    calibration = ReadoutCalibration(
        {0: 0.8, 1: 0.9}, {}, {0: 0.02, 1: 0.01}, {0: 0.05, 1: 0.03}, shots=100
    )
    by_qubit = [
        np.hypot((value + rest) * up, (value - rest) * down) / (2 * contrast)
        for up, down, contrast in ((0.02, 0.05, 0.8), (0.01, 0.03, 0.9))
    ]
    assert calibration.error([0, 1], np.array(value)) == pytest.approx(np.hypot(*by_qubit))
