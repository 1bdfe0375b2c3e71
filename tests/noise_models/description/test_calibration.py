"""What is read from a device's calibration."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from qiskit.circuit import Instruction, Measure
from qiskit.circuit.library import SXGate
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    build,
    calibrated,
    scaled,
    snapshot,
)


def test_a_snapshot_says_of_what_and_when():
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    device = FakeManilaV2()
    spec = snapshot(device)
    assert spec.snapshot.device == spec.name == "fake_manila"
    stated = device.properties().last_update_date.astimezone(UTC)
    assert datetime.fromisoformat(spec.snapshot.calibrated_utc) == stated.replace(microsecond=0)
    assert set(spec.snapshot.versions) == {"qvlm-qiskit", "qiskit", "qiskit-ibm-runtime", "device"}
    assert spec.digest() == replace(spec, name="other", snapshot=None).digest()
    assert spec.digest() != scaled(spec, 1.01).digest()


def test_the_order_of_the_qubits_is_kept():
    target = FakeLagosV2().target
    spec = calibrated(target, (5, 3))
    assert spec.physical_qubits == (5, 3)
    assert spec.qubits[0].t1_us == pytest.approx(target.qubit_properties[5].t1 * 1e6)
    cx = {gate.qubits: gate for gate in spec.gates if gate.name == "cx"}
    assert cx[(0, 1)].error == pytest.approx(target["cx"][(5, 3)].error)
    assert cx[(1, 0)].duration_ns == pytest.approx(target["cx"][(3, 5)].duration * 1e9)


@pytest.mark.parametrize("qubits", [(0, 0), (0, 99), (-1,)])
def test_impossible_qubits_are_refused(qubits):
    with pytest.raises(NoiseModelError, match="qubits"):
        calibrated(FakeManilaV2().target, qubits)


def test_second_kinds_of_measurement_are_left_out():
    target = Target(num_qubits=1)
    target.add_instruction(SXGate(), {(0,): InstructionProperties(error=0.01)})
    target.add_instruction(Measure(), {(0,): InstructionProperties(error=0.02)})
    other = Instruction("measure_2", 1, 1, [])
    target.add_instruction(other, {(0,): InstructionProperties(error=0.5, duration=1e-6)})
    spec = calibrated(target)
    assert [gate.name for gate in spec.gates] == ["sx"]
    assert spec.qubits[0].p_meas1_prep0 == 0.02
    assert not build(spec).is_ideal()


@pytest.mark.parametrize(
    ("t1", "t2", "stated"),
    [
        (1e-5, 3e-5, (10, 20)),
        (1e-5, 1.5e-5, (10, 15)),
        (1e-5, None, (10, None)),
        (None, 1e-5, (None, 10)),
    ],
)
def test_a_t2_beyond_twice_t1_is_twice_t1(t1, t2, stated):
    target = Target(num_qubits=1, qubit_properties=[QubitProperties(t1=t1, t2=t2)])
    target.add_instruction(SXGate(), {(0,): InstructionProperties(error=0.01)})
    (qubit,) = calibrated(target).qubits
    assert (qubit.t1_us, qubit.t2_us) == pytest.approx(stated)
