"""Where on a device a circuit is placed, and how likely it then succeeds."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import CXGate, RZGate, SXGate
from qiskit.transpiler import InstructionProperties, Target, generate_preset_pass_manager
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2

from qvlm_qiskit.backends import Compiler
from qvlm_qiskit.backends.compilation.placement import log_success, states_errors


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_place_is_the_best_of_all_places_readout_included(level):
    """Against every pair of connected qubits, tried one by one."""
    target = FakeLagosV2().target
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    chosen = Compiler(target, level, trials=1).compile(circuit, "ZZ")
    found = []
    for pair in target["cx"]:
        manager = generate_preset_pass_manager(1, target=target, initial_layout=list(pair))
        found.append(log_success(manager.run(circuit), target, pair))
    assert np.log(chosen.success_probability) >= max(found) - 1e-12
    assert np.ptp(found) > 0.1


def test_a_gate_that_always_fails_is_not_used():
    """A line of four where the only good gate is at its end."""
    target = Target(num_qubits=4)
    target.add_instruction(SXGate(), {(q,): InstructionProperties(error=1e-4) for q in range(4)})
    target.add_instruction(
        RZGate(Parameter("t")), {(q,): InstructionProperties(error=0) for q in range(4)}
    )
    target.add_instruction(
        CXGate(),
        {
            (0, 1): InstructionProperties(error=1.0),
            (1, 2): InstructionProperties(error=1.0),
            (2, 3): InstructionProperties(error=0.01),
        },
    )
    target.add_instruction(Measure(), {(q,): InstructionProperties(error=0.01) for q in range(4)})
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    assert set(Compiler(target, 1).compile(circuit, "ZZ").layout) == {2, 3}


def test_success_probability_is_a_product_over_gates_and_readout():
    target = FakeManilaV2().target
    circuit = QuantumCircuit(5)
    circuit.sx(0)
    circuit.cx(0, 1)
    expected = 1.0
    for error in (
        target["sx"][(0,)].error,
        target["cx"][(0, 1)].error,
        target["measure"][(0,)].error,
        target["measure"][(1,)].error,
    ):
        expected *= 1 - error
    assert 2.718281828459045 ** log_success(circuit, target, (0, 1)) == pytest.approx(expected)
    assert states_errors(target)
    assert not states_errors(Target.from_configuration(["cx", "sx", "rz"], num_qubits=3))
