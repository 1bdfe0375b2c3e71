"""What makes two parameter expressions the same: one text for all orders of sums and products.

Qiskit's own text of an expression is not enough: b/(-(a·c)) and (b/(-a))·c are both printed as
"b/-a*c", and a parameter may be called "x + y". So the expression is read operation by operation,
as QPY writes it to disk.
"""

from __future__ import annotations

import ast
from decimal import Decimal
from functools import lru_cache
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from qvlm_qiskit.errors import CircuitError

# One operation: its name and what it applies to. "p2" is the parameter number 2, "2" a number, and
# "" the result of an earlier operation, the latest that was not used yet.
_Step = tuple[str, str, str]

_BINARY = {
    "ADD": ast.Add, "SUB": ast.Sub, "MUL": ast.Mult, "DIV": ast.Div, "POW": ast.Pow,
    "RSUB": ast.Sub, "RDIV": ast.Div, "RPOW": ast.Pow,
}  # fmt: skip
_UNARY = ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "EXP", "LOG", "ABS", "SIGN", "CONJ")


def expression_bytes(value: ParameterExpression) -> bytes:
    """The expression as sorted sums and products, with its parameters by number, and their names.

    Raises:
        CircuitError: It has complex numbers, or an operation that is not known here.
    """
    names = tuple(sorted(parameter.name for parameter in value.parameters))
    return _normal_bytes(_steps(value, names)) + repr(names).encode()


def _steps(value: ParameterExpression, names: tuple[str, ...]) -> tuple[_Step, ...]:
    """The expression's operations; one without any is the sum of itself and nothing."""
    number = {name: f"p{i}" for i, name in enumerate(names)}

    def text(operand: Any) -> str:
        if operand is None:
            return ""
        if isinstance(operand, Parameter):
            return number[operand.name]
        if isinstance(operand, complex):
            if operand.imag:
                # Qiskit prints different complex numbers alike, and QPY exchanges their parts.
                raise CircuitError(
                    f"the parameter expression {value} has complex numbers: angles are real"
                )
            operand = operand.real
        if isinstance(operand, int | float):
            return _number(operand)
        raise CircuitError(f"the parameter expression {value} has no canonical form here")

    # Private, and all that Qiskit says about the inside of an expression, but for its text.
    made = [
        (str(step.op).rpartition(".")[2], text(step.lhs), text(step.rhs))
        for step in value._qpy_replay  # noqa: SLF001
    ]
    # A parameter that cancelled is written as "+ 0·parameter"; the list of names has it anyway.
    while len(made) > 1 and made[-1] == ("ADD", "", "") and made[-2][::2] == ("MUL", "0"):
        del made[-2:]
    # What is computed of numbers alone is written as a number again where it is used.
    steps = tuple(step for step in made if _of_parameters(*step))
    if steps:
        return steps
    alone = next(iter(value.parameters)) if value.is_symbol() else value.numeric(strict=False)
    return (("ADD", text(alone), "0"),)


def _of_parameters(operation: str, first: str, second: str) -> bool:
    operands = (first,) if operation in _UNARY else (first, second)
    return any(not operand or operand.startswith("p") for operand in operands)


def _number(value: float) -> str:
    """The shortest decimals that are read as the number; whole ones look like integers."""
    if isinstance(value, float) and value.is_integer():
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return repr(value)


@lru_cache(maxsize=1 << 16)
def _normal_bytes(steps: tuple[_Step, ...]) -> bytes:
    if len(steps) == 1 and steps[0][0] == "ADD" and steps[0][2] in ("0", "-0"):
        return b"X" + _framed(_normal(_operand(steps[0][1], [])).encode())
    try:
        normal = _normal(_tree(steps))
    except RecursionError:  # hundreds of terms: it counts as it is written
        return b"R" + _framed(repr(steps).encode())
    return b"X" + _framed(normal.encode())


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


def _tree(steps: tuple[_Step, ...]) -> ast.expr:
    stack: list[ast.expr] = []
    for operation, first, second in steps:
        if operation in _UNARY:
            stack.append(ast.Call(ast.Name(operation.lower()), [_operand(first, stack)], []))
            continue
        if operation not in _BINARY:
            raise CircuitError(f"a parameter expression has an operation {operation}")
        right = _operand(second, stack)
        left = _operand(first, stack)
        if operation.startswith("R"):
            left, right = right, left
        stack.append(ast.BinOp(left, _BINARY[operation](), right))
    (tree,) = stack
    return tree


def _operand(text: str, stack: list[ast.expr]) -> ast.expr:
    if not text:
        return stack.pop()
    if text.startswith("-"):
        return ast.UnaryOp(ast.USub(), _operand(text[1:], stack))
    if not text[0].isdigit():
        return ast.Name(text)  # a parameter; "inf" and "nan" are none
    return ast.Constant(int(text) if text.isdigit() else float(text))


def _normal(node: ast.expr) -> str:
    """One text for all orders of the terms of a sum and of the factors of a product."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=value):
            return value.hex() if isinstance(value, float) else str(value)
        case ast.Call(func=ast.Name(id=name)):
            return f"{name}({','.join(_normal(argument) for argument in node.args)})"
        case ast.BinOp(op=ast.Pow()):
            return f"({_normal(node.left)}^{_normal(node.right)})"
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return "(+" + ",".join(sorted(_terms(node, False))) + ")"
        case ast.BinOp(op=ast.Mult() | ast.Div()) | ast.UnaryOp(op=ast.USub()):
            negative, above, below = _factors(node)
            sign = "-" if negative else ""
            if len(above) == 1 and not below:
                return sign + above[0]
            return f"{sign}({'*'.join(sorted(above))}/{'*'.join(sorted(below))})"
    raise CircuitError(f"the expression {ast.unparse(node)} has no canonical form here")


def _terms(node: ast.expr, negative: bool) -> list[str]:
    match node:
        case ast.BinOp(op=ast.Add()):
            return _terms(node.left, negative) + _terms(node.right, negative)
        case ast.BinOp(op=ast.Sub()):
            return _terms(node.left, negative) + _terms(node.right, not negative)
    text = _normal(node)
    return [_negated(text) if negative else text]


def _negated(text: str) -> str:
    return text[1:] if text.startswith("-") else f"-{text}"


def _factors(node: ast.expr) -> tuple[bool, list[str], list[str]]:
    """Whether a product is negated, its numerators and its denominators; factors 1 are left out."""
    match node:
        case ast.UnaryOp(op=ast.USub()):
            negative, above, below = _factors(node.operand)
            return not negative, above, below
        case ast.BinOp(op=ast.Mult()):
            one, two = _factors(node.left), _factors(node.right)
            return one[0] != two[0], one[1] + two[1], one[2] + two[2]
        case ast.BinOp(op=ast.Div()):
            one, two = _factors(node.left), _factors(node.right)
            return one[0] != two[0], one[1] + two[2], one[2] + two[1]
    text = _normal(node)
    return False, [] if text in ("1", "0x1.0000000000000p+0") else [text], []
