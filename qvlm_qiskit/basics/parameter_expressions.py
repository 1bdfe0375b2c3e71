"""What a parameter expression computes, read from its own operations.

Whether an expression is affine is read off its structure, never off derivatives: those say nothing
where an expression has a pole, and grow without bound for powers. What is not affine *as it is
written* is a :class:`Formula`, which is evaluated with any library's functions, for many values at
once; derivatives are that library's business.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

Terms = dict[Parameter | None, complex]
"""The slopes of an affine expression by parameter; None has its constant."""

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "DIV": operator.truediv,
    "POW": operator.pow,
}
_LINEAR = frozenset({"ADD", "SUB", "MUL", "DIV"})
_PARTIAL = frozenset({"LOG", "ASIN", "ACOS", "DIV", "POW"})
"""Operations that have no real value for some real numbers."""


def is_free(value: Any) -> bool:
    """Whether a gate's parameter is an expression of circuit parameters, not a number."""
    return isinstance(value, ParameterExpression) and bool(value.parameters)


@dataclass(frozen=True)
class Argument:
    """An operand that stands for one of a formula's arguments."""

    index: int


@dataclass(frozen=True)
class Formula:
    """An expression without its parameters' names.

    Attributes:
        steps: One operation after the other: its name and operands. An operand is a number, an
            :class:`Argument`, or None for the latest result that was not used yet.
    """

    steps: tuple[tuple[str, Any, Any], ...]

    @property
    def is_partial(self) -> bool:
        """Whether it may have no real value."""
        return any(name.removeprefix("R") in _PARTIAL for name, _, _ in self.steps)

    def __call__(
        self, arguments: Sequence[Any], functions: Mapping[str, Callable[[Any], Any]]
    ) -> Any:
        """Its value.

        Args:
            arguments: Numbers or arrays that broadcast against each other.
            functions: By names as ``"SIN"``: sine and so on of such an array.
        """
        stack: list[Any] = []

        def value(operand: Any) -> Any:
            if operand is None:
                return stack.pop()
            return arguments[operand.index] if isinstance(operand, Argument) else operand

        for name, first, second in self.steps:
            if name in functions:
                stack.append(functions[name](value(first)))
                continue
            right = value(second)
            left = value(first)
            stack.append(_applied(name, left, right))
        return stack[-1]


def formula_of(expression: ParameterExpression) -> tuple[Formula, tuple[Parameter, ...]]:
    """The formula of an expression, and its parameters in the order of the arguments."""
    number: dict[Parameter, int] = {}

    def read(operand: Any) -> Any:
        if isinstance(operand, Parameter):
            return Argument(number.setdefault(operand, len(number)))
        return operand

    steps = tuple((name, read(first), read(second)) for name, first, second in _steps(expression))
    return Formula(steps), tuple(number)


def affine_terms(expression: ParameterExpression) -> Terms | None:
    """Slopes and constant of an expression of sums and multiples, None for any other.

    A parameter that cancels is left out.
    """
    if isinstance(expression, Parameter):
        return {expression: 1.0}
    stack: list[Terms] = []
    for name, first, second in _steps(expression):
        if name == "CONJ":
            stack.append({k: complex(v).conjugate() for k, v in _terms(first, stack).items()})
            continue
        if name.removeprefix("R") not in _LINEAR:
            return None
        right = _terms(second, stack)
        found = _combined(name, _terms(first, stack), right)
        if found is None:
            return None
        stack.append(found)
    terms = {key: value for key, value in stack[-1].items() if value != 0}
    return terms if all(math.isfinite(abs(value)) for value in terms.values()) else None


def _steps(expression: ParameterExpression) -> list[tuple[str, Any, Any]]:
    # private, and all that Qiskit says about the inside of an expression, but for its text
    made = expression._qpy_replay  # noqa: SLF001
    return [(str(step.op).rpartition(".")[2], step.lhs, step.rhs) for step in made]


def _terms(operand: Any, stack: list[Terms]) -> Terms:
    if operand is None:
        return stack.pop()
    return {operand: 1.0} if isinstance(operand, Parameter) else {None: operand}


def _combined(name: str, left: Terms, right: Terms) -> Terms | None:
    """The terms of an operation's result; may use up those of its operands."""
    if name.startswith("R"):
        name, left, right = name[1:], right, left
    if name == "ADD":
        return _sum(left, right)
    if name == "SUB":
        return _sum(left, _scaled(right, -1.0))
    if name == "MUL" and right.keys() <= {None}:
        return _scaled(left, right.get(None, 0.0))
    if name == "MUL" and left.keys() <= {None}:
        return _scaled(right, left.get(None, 0.0))
    if name == "DIV" and right.keys() <= {None} and right.get(None):
        return {key: value / right[None] for key, value in left.items()}
    return None


def _sum(one: Terms, other: Terms) -> Terms:
    larger, smaller = (one, other) if len(one) >= len(other) else (other, one)
    for key, value in smaller.items():
        larger[key] = larger.get(key, 0.0) + value
    return larger


def _scaled(terms: Terms, factor: complex) -> Terms:
    return {key: value * factor for key, value in terms.items()}


def _applied(name: str, left: Any, right: Any) -> Any:
    if name.startswith("R"):
        name, left, right = name[1:], right, left
    return _BINARY[name](left, right)
