"""A circuit's gate angles as functions of its parameters, before any value is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qiskit.circuit import ParameterExpression

from qvlm_qiskit.basics.parameter_expressions import Formula, affine_terms, formula_of
from qvlm_qiskit.errors import CircuitError

ParameterIndex = int


class FreeAngle(NamedTuple):
    """``factor · formula(parameters)``: an angle that is not affine as it is written."""

    parameters: tuple[ParameterIndex, ...]
    formula: Formula
    factor: float
    expression: ParameterExpression
    """What it was made of, for messages."""


@dataclass
class AngleTable:
    """All gate angles as functions of the parameter vector: affine rows, and free expressions."""

    num_parameters: int
    coefficients: list[dict[ParameterIndex, float]] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    expressions: dict[int, FreeAngle] = field(default_factory=dict)

    def add(self, value: Any, factor: float, index_of: dict[Any, ParameterIndex]) -> int:
        """Add ``factor · value`` and return its row.

        Raises:
            CircuitError: An angle that is a complex number whatever its parameters are.
        """
        row = len(self.constants)
        self.coefficients.append({})
        self.constants.append(0.0)
        if not isinstance(value, ParameterExpression) or not value.parameters:
            self.constants[row] = factor * _real(value)
            return row
        terms = affine_terms(value)
        if terms is None:
            formula, parameters = formula_of(value)
            places = tuple(index_of[p] for p in parameters)
            self.expressions[row] = FreeAngle(places, formula, factor, value)
            return row
        self.constants[row] = factor * _real(terms.pop(None, 0.0))
        self.coefficients[row] = {index_of[p]: factor * _real(s) for p, s in terms.items()}
        return row

    def depends_on(self, row: int) -> frozenset[ParameterIndex]:
        """The parameters that a row's angle depends on."""
        if row in self.expressions:
            return frozenset(self.expressions[row].parameters)
        return frozenset(self.coefficients[row])


def _real(value: Any) -> float:
    number = complex(value)
    if abs(number.imag) > 1e-12 * max(1.0, abs(number)):
        raise CircuitError(f"a gate angle must be real, got {number}")
    return number.real
