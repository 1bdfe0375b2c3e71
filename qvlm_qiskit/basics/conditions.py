"""What a circuit decides by: conditions on classical bits, worked out for given values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Clbit, IfElseOp, QuantumCircuit
from qiskit.circuit.classical import expr, types

from qvlm_qiskit.errors import CircuitError

Bits = Mapping[Clbit, int]
"""The numbers of bits."""
Values = Mapping[Clbit, bool]

_BINARY: dict[str, Callable[[int, int], int]] = {
    "BIT_AND": operator.and_,
    "BIT_OR": operator.or_,
    "BIT_XOR": operator.xor,
    "LOGIC_AND": lambda a, b: int(bool(a) and bool(b)),
    "LOGIC_OR": lambda a, b: int(bool(a) or bool(b)),
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "SHIFT_RIGHT": operator.rshift,
}


def decided_by(operation: Any) -> Any:
    """The condition of an ``if_else`` or ``while_loop``, the target of a ``switch_case``."""
    return operation.target if hasattr(operation, "target") else operation.condition


def bits_of(operation: Any) -> list[Clbit]:
    """The classical bits that a decision depends on, each once.

    Raises:
        CircuitError: It depends on a variable.
    """
    decided = decided_by(operation)
    if isinstance(decided, expr.Expr):
        sources = [node.var for node in expr.iter_vars(decided)]
    else:
        sources = [decided[0] if isinstance(decided, tuple) else decided]
    found: dict[Clbit, None] = {}
    for source in sources:
        found |= dict.fromkeys(_source_bits(source, operation.name))
    return list(found)


def _source_bits(source: Any, name: str) -> list[Clbit]:
    if isinstance(source, Clbit):
        return [source]
    if isinstance(source, ClassicalRegister):
        return list(source)
    raise CircuitError(
        f"instruction {name!r} is decided by a classical variable, which is no measured bit"
    )


def chosen_block(operation: Any, values: Values) -> QuantumCircuit | None:
    """The block of an ``if_else`` or ``switch_case`` that is run; None for none.

    Args:
        operation: The decision.
        values: Of all its bits.
    """
    decided = decided_by(operation)
    if isinstance(operation, IfElseOp):
        blocks = (*operation.blocks, None)
        if isinstance(decided, tuple):
            holds = _number(decided[0], values) == int(decided[1])
        else:
            holds = bool(_evaluated(decided, values))
        return blocks[0] if holds else blocks[1]
    plain = not isinstance(decided, expr.Expr)
    number = _number(decided, values) if plain else _evaluated(decided, values)
    for labels, block in operation.cases_specifier():
        if any(label is CASE_DEFAULT or int(label) == number for label in labels):
            found: QuantumCircuit = block
            return found
    return None


def _number(source: Any, values: Values) -> int:
    """A bit, or a register's bits with the first as the least significant."""
    if isinstance(source, Clbit):
        return int(values[source])
    return sum(int(values[bit]) << place for place, bit in enumerate(source))


def _evaluated(node: Any, values: Values) -> int:
    """An expression of bits and registers; what is true is 1.

    Raises:
        CircuitError: An operation that is not known here, or a number that is no whole one.
    """
    if isinstance(node.type, types.Float):
        raise CircuitError("a condition with floating-point numbers is not known here")
    if isinstance(node, expr.Value):
        return int(node.value)
    if isinstance(node, expr.Var):
        return _number(node.var, values)
    if isinstance(node, expr.Cast):
        number = _evaluated(node.operand, values)
        if node.type.kind is types.Bool:
            return int(bool(number))
        return number & ((1 << int(node.type.width)) - 1)
    if isinstance(node, expr.Index):
        return _evaluated(node.target, values) >> _evaluated(node.index, values) & 1
    if isinstance(node, expr.Unary) and node.op.name in ("BIT_NOT", "LOGIC_NOT"):
        number = _evaluated(node.operand, values)
        if node.type.kind is types.Bool:
            return int(not number)
        return number ^ ((1 << int(node.type.width)) - 1)
    if isinstance(node, expr.Binary) and node.op.name in _BINARY:
        left, right = _evaluated(node.left, values), _evaluated(node.right, values)
        return int(_BINARY[node.op.name](left, right))
    name = getattr(getattr(node, "op", None), "name", type(node).__name__)
    raise CircuitError(f"a condition with {name} is not known here: write it with AND, OR, NOT, ==")


def condition_key(operation: Any, number: Bits) -> Hashable:
    """Equal for decisions that are equal, of bits with the same numbers.

    Args:
        operation: Control flow.
        number: Of every bit of its circuit.
    """
    if hasattr(operation, "cases_specifier"):
        labels = [tuple(map(str, labels)) for labels, _ in operation.cases_specifier()]
        return _key(operation.target, number), tuple(labels)
    if hasattr(operation, "condition"):
        return _key(operation.condition, number)
    head = operation.params[:-1]  # of a loop: its values and its variable
    return tuple(v if isinstance(v, Hashable) else tuple(v) for v in head)


def _key(part: Any, number: Bits) -> Hashable:
    if isinstance(part, Clbit):
        return ("bit", number[part])
    if isinstance(part, tuple):
        return _key(part[0], number), int(part[1])
    if isinstance(part, expr.Var):
        return _key(part.var, number)
    if isinstance(part, expr.Value):
        return int(part.value), str(part.type)
    if isinstance(part, expr.Expr):
        inner = [
            getattr(part, name, None) for name in ("operand", "left", "right", "target", "index")
        ]
        name = getattr(getattr(part, "op", None), "name", type(part).__name__)
        return name, str(part.type), tuple(_key(x, number) for x in inner if x is not None)
    if isinstance(part, ClassicalRegister):
        return tuple(number[bit] for bit in part)
    variable: Hashable = part
    return variable
