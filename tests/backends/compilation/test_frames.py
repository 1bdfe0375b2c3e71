"""One circuit with legal rzz angles for all values."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector
from qiskit.quantum_info import Operator

from qvlm_qiskit.backends.compilation.frames import FLOOR, SNAP, Folding, LegalCircuit
from qvlm_qiskit.errors import CircuitError

QUARTER = np.pi / 2
NATURAL = np.arange(-8, 9) * QUARTER


def ladder(qubits=3, layers=1, ring=False, rotated=True):
    """Layers of rx and rzz; angles in the order of the instructions."""
    circuit = QuantumCircuit(qubits)
    angles = iter(ParameterVector("a", 3 * qubits * (layers + 1)))
    for _ in range(layers):
        for qubit in range(qubits):
            circuit.rz(next(angles), qubit)
            circuit.rx(next(angles), qubit)
        for qubit in range(qubits if ring else qubits - 1):
            circuit.rzz(next(angles), qubit, (qubit + 1) % qubits)
    for qubit in range(qubits if rotated else 0):
        circuit.rx(next(angles), qubit)
    return circuit


def mixed():
    """Everything that stands between rzz gates on a machine that has them."""
    circuit = QuantumCircuit(3)
    a = ParameterVector("a", 12)
    circuit.rzz(a[0], 0, 1)
    circuit.sx(0)
    circuit.rz(a[1], 0)
    circuit.rzz(a[2], 0, 1)
    circuit.rzz(a[3], 1, 2)
    circuit.rzz(2.5, 0, 2)
    circuit.cz(0, 1)
    circuit.x(1)
    circuit.delay(10, 2)
    circuit.rx(a[4], 1)
    circuit.barrier()
    circuit.rzz(0.2, 0, 1)
    circuit.rzz(a[5], 0, 1)
    circuit.rx(0.3, 2)
    circuit.rzz(-0.7, 1, 2)
    circuit.cx(1, 2)
    circuit.rzz(a[6], 1, 2)
    circuit.cz(1, 0)
    return circuit


def legal(circuit):
    angles = [p for item in circuit.data if item.name != "delay" for p in item.params]
    return LegalCircuit(circuit, angles, [not isinstance(p, ParameterExpression) for p in angles])


def angles_of(circuit, values):
    """(B, K) angles for (B, P) values of parameters that each stand in one gate."""
    order = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    angles = [p for item in circuit.data if item.name != "delay" for p in item.params]
    columns = [
        values[:, order[p]] if p in order else np.full(len(values), float(p)) for p in angles
    ]
    return np.stack(columns, axis=1)


def bare(circuit):
    """Without what no operator has."""
    kept = circuit.copy_empty_like()
    for item in circuit.data:
        if item.name not in ("delay", "barrier"):
            kept.append(item.operation, item.qubits)
    return kept


def distance(one, other):
    """The largest difference of the matrices but for a phase."""
    first, second = Operator(bare(one)).data, Operator(bare(other)).data
    overlap = np.vdot(first, second)
    return np.abs(second - overlap / abs(overlap) * first).max()


def rows_of(circuit, count):
    values = np.random.default_rng(5).uniform(
        -4 * np.pi, 4 * np.pi, (count, circuit.num_parameters)
    )
    for row, angle in enumerate(NATURAL):
        values[row] = angle + np.random.default_rng(row).choice(
            [0, 1e-15, -1e-15, 3e-11], values[row].shape
        )
    return values


@pytest.mark.parametrize(
    "circuit",
    [ladder(layers=2), ladder(ring=True, rotated=False), ladder(2, 5), mixed()],
    ids=["ladder", "ring", "pair", "mixed"],
)
def test_all_angles_are_legal_and_exact(circuit):
    made = legal(circuit)
    gates = [item.name for item in circuit.data].count("rzz")
    values = rows_of(circuit, 10_000 // (4 * gates))
    rows = made.values(angles_of(circuit, values))
    for own, row in zip(values, rows, strict=True):
        bound = made.circuit.assign_parameters(row)
        found = [float(item.params[0]) for item in bound.data if item.name == "rzz"]
        assert len(found) == gates
        assert all(0 < angle <= QUARTER for angle in found)
        assert distance(circuit.assign_parameters(own), bound) < 1e-9


def test_ten_thousand_angles_are_taken_apart():
    angles = np.random.default_rng(2).uniform(-4 * np.pi, 4 * np.pi, 10_000)
    folded = Folding.of(angles)
    assert (folded.angles > 0).all()
    assert (folded.angles <= QUARTER).all()
    again = np.where(folded.negative, -folded.angles, folded.angles) + np.pi * folded.half_turns
    # rzz(θ + 2π) = −rzz(θ)
    assert np.abs(np.exp(1j * angles) - np.exp(1j * again)).max() < 1e-9


def test_last_bits_change_no_gate():
    for angle in NATURAL:
        near = Folding.of(angle + np.array([0, 1e-15, -1e-15, SNAP / 2, -SNAP / 2]))
        assert len(set(zip(near.half_turns, near.negative, strict=True))) == 1
        assert np.ptp(near.angles) < 1e-9
    assert Folding.of(np.zeros(1)).angles[0] == FLOOR


@pytest.mark.parametrize(
    ("circuit", "added"),
    [
        (ladder(5, 3), 0),
        (ladder(5, 3, ring=True), 3),
        (ladder(5, 1, rotated=False), 4),
        (ladder(5, 1, ring=True, rotated=False), 5),
    ],
    ids=["ladder", "ring", "ladder to the end", "ring to the end"],
)
def test_an_rx_is_added_for_each_circle_and_each_flipped_end_only(circuit, added):
    before, after = circuit.count_ops(), legal(circuit).circuit.count_ops()
    assert after["rx"] - before["rx"] == added
    assert after["rzz"] == before["rzz"]


def test_what_is_legal_already_stays_as_it_is():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rzz(0.3, 0, 1)
    circuit.sx(0)
    circuit.rzz(QUARTER, 0, 1)
    made = legal(circuit)
    assert made.circuit == circuit
    assert made.values(np.array([[0.3, QUARTER]])).shape == (1, 0)


def test_a_gate_that_such_machines_lack_is_refused():
    circuit = QuantumCircuit(2)
    circuit.ry(0.3, 0)
    circuit.rzz(0.3, 0, 1)
    with pytest.raises(CircuitError, match="no gate 'ry' of any angle"):
        legal(circuit)


def test_decisions_in_the_middle_are_refused():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    with pytest.raises(CircuitError, match="fractional gates don't go with decisions"):
        legal(circuit)
