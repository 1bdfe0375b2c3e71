import pytest
from qiskit.circuit.library import CZGate, RZZGate

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.gates import noisy_instruction, physical_gates

BASIS = ("rz", "sx", "x", "rx", "cz", "rzz", "measure", "delay", "id", "reset", "if_else")


def test_only_gates_that_are_made_by_pulses_are_physical():
    assert physical_gates(BASIS, 1) == ("sx", "x", "rx")
    assert physical_gates(BASIS, 2) == ("cz", "rzz")
    assert physical_gates(BASIS, 3) == ()


def test_gates_with_an_angle_can_be_left_out():
    assert physical_gates(BASIS, 1, fixed=True) == ("sx", "x")
    assert physical_gates(BASIS, 2, fixed=True) == ("cz",)


def test_a_standard_gate_is_found_by_its_name():
    assert noisy_instruction("cz") == CZGate()
    assert noisy_instruction("rzz", 2).base_class is RZZGate
    assert noisy_instruction("reset", 1).num_qubits == 1


def test_what_is_no_standard_gate_or_of_another_width_is_refused():
    with pytest.raises(NoiseModelError, match="'czz': it is no standard Qiskit gate"):
        noisy_instruction("czz")
    with pytest.raises(NoiseModelError, match="cz acts on 2 qubits, not on 1"):
        noisy_instruction("cz", 1)
