"""Conditions on bits, worked out for given values, as Qiskit defines them."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, QuantumRegister
from qiskit.circuit.classical import expr, types

from qvlm_qiskit.basics.conditions import chosen_block
from qvlm_qiskit.errors import CircuitError

C = ClassicalRegister(3, "c")


def holds(condition, number):
    circuit = QuantumCircuit(QuantumRegister(1), C)
    with circuit.if_test(condition):
        circuit.x(0)
    values = {bit: bool(number >> place & 1) for place, bit in enumerate(C)}
    return chosen_block(circuit.data[0].operation, values) is not None


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ((C, 5), lambda c: c == 5),
        ((C[1], 0), lambda c: not c & 2),
        (expr.less(C, 3), lambda c: c < 3),
        (expr.equal(expr.cast(C, types.Uint(1)), 1), lambda c: c & 1),
        (expr.equal(expr.bit_not(C), 2), lambda c: c == 5),
        (expr.logic_and(C[0], expr.logic_not(C[2])), lambda c: c & 1 and not c & 4),
        (expr.equal(expr.bit_xor(C, 3), 6), lambda c: c ^ 3 == 6),
        (expr.equal(expr.shift_right(C, 1), 2), lambda c: c >> 1 == 2),
        (expr.index(C, 1), lambda c: c & 2),
        (expr.cast(C, types.Bool()), lambda c: c != 0),
    ],
)
def test_conditions_hold_where_they_say(condition, expected, number):
    assert holds(condition, number) == bool(expected(number))


def test_floating_point_numbers_are_refused():
    condition = expr.less(expr.cast(C, types.Float()), 5.5)
    with pytest.raises(CircuitError, match="floating-point"):
        holds(condition, 5)
