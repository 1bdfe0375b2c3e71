"""Where wires are cut, and what can't be."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum import AmplitudeEncoding, HamiltonianEvolution, cut_layer, make_qnn
from qvlm_qiskit.quantum.cuts.fragments import Cutting


def chain(qubits=4):
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def marked(circuit, qubit):
    circuit.append(Gate("cut_wire", 1, []), [qubit])
    return circuit


def widths(circuit, at=()):
    return [one.circuit.num_qubits for one in Cutting(circuit, at).fragments()]


def test_cuts_by_place_and_by_marker():
    assert widths(chain(), [(1, 1)]) == [2, 3]
    circuit = marked(chain(2), 1)
    circuit.h(1)
    assert widths(circuit) == [2, 1]
    assert widths(chain(), [(2, 2), (1, 1)]) == [2, 2, 2]


def test_an_instruction_that_stands_for_a_circuit_is_looked_into():
    circuit, pairs = QuantumCircuit(4), QuantumCircuit(4)
    pairs.cx(0, 1)
    pairs.cx(2, 3)
    circuit.append(pairs.to_gate(), range(4))
    circuit.barrier()
    circuit.h(1)
    assert widths(circuit, [(1, 2)]) == [2, 2, 1]


def test_idle_qubits_are_in_no_fragment_and_barriers_join_nothing():
    circuit = QuantumCircuit(5)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.cx(1, 3)
    assert widths(circuit, [(1, 2)]) == [2, 2]


def test_a_fragment_may_be_entered_again():
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    # qubit 1 leaves to qubit 2 and comes back to qubit 0
    assert widths(circuit, [(1, 1), (1, 2)]) == [3, 2]


def loaded():
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding([Parameter(f"a{i}") for i in range(7)]), [0, 1, 2])
    circuit.h(1)
    circuit.cx(1, 2)
    return circuit


def evolved():
    circuit = chain(2)
    circuit.append(HamiltonianEvolution({"ZZ": 1.0, "XI": 0.5}, Parameter("t")), [0, 1])
    return circuit


def measured():
    circuit = QuantumCircuit(2, 1)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    circuit.h(1)
    return circuit


def gate_cut():
    circuit = chain(3)
    circuit.append(Gate("qpd_2q", 2, []), [0, 1])
    return circuit


WRONG = {
    "no cut": (chain(), [], InputError, "no wire to cut: say at="),
    "no pair": (chain(), [1], InputError, "a cut is a pair .* got 1"),
    "no list": (chain(), 2, InputError, "a cut is a pair .* got 2"),
    "no number": (chain(), [(0, "a")], InputError, "a cut is a pair"),
    "no such qubit": (chain(), [(4, 1)], InputError, "qubits 0 to 3, not 4"),
    "no such place": (chain(), [(1, 3)], InputError, "instructions 0 to 2, not 3"),
    "before": (chain(), [(2, 1)], InputError, r"cut \(2, 1\): nothing acts on qubit 2 before it"),
    "after": (chain(), [(0, 1)], InputError, "nothing acts on qubit 0 after it"),
    "twice": (chain(), [(1, 1), (1, 1)], InputError, "qubit 1 is cut twice at one place"),
    "joined": (
        chain(3).compose(chain(3)), [(1, 1)], InputError,
        r"cut \(1, 1\) does not separate the circuit: instruction 2, 'cx' on qubits 0, 1, is one",
    ),
    "load": (loaded(), [(1, 1)], InputError, "'amplitude_encoding' on qubits 0, 1, 2"),
    "evolution": (evolved(), [(1, 1)], InputError, "instruction 1, 'hamiltonian_evolution'"),
    "measured": (measured(), [(1, 2)], CircuitError, "instruction 1, 'measure': a circuit that"),
    "gate": (gate_cut(), [(1, 1)], CircuitError, "'qpd_2q', is a gate .*gate_lo=False"),
    "inside": (
        chain(2).compose(marked(chain(2), 1).to_gate(), [0, 1]), [(1, 1)], CircuitError,
        "instruction 1 holds a 'cut_wire': decompose",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_cut_is_said_in_one_line(case):
    circuit, at, error, says = WRONG[case]
    with pytest.raises(error, match=says) as found:
        cut_layer(make_qnn(circuit, list(circuit.parameters), []), at)
    assert "\n" not in str(found.value)


def test_too_many_cuts_of_one_fragment():
    circuit, at = QuantumCircuit(12), []
    for qubit in range(11):
        circuit.cx(11, qubit)
    for qubit in range(11):
        at.append((qubit, len(circuit.data)))
        circuit.h(qubit)
    with pytest.raises(CapacityError, match="11 cuts, which makes 4\\^11 values"):
        cut_layer(make_qnn(circuit, [], []), at)
