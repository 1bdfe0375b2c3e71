"""`AngleTemplate`: an ISA circuit whose rotation angles are all free.

Devices turn a circuit into few fixed Clifford gates and rotations about Z, which cost nothing and
err little. So circuits that differ in their angles only have the same noise, and all the circuits
that a technique invents (near-Clifford ones, those with Paulis moved to the end) are parameter
rows of one template: one compiled circuit, one broadcast pub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter, ParameterExpression, ParameterVector
from qiskit.primitives.containers.bindings_array import BindingsArray

from qvlm_qiskit.basics.parameter_expressions import affine_terms, formula_of
from qvlm_qiskit.errors import MitigationError

Floats = NDArray[np.float64]
# Gates that are Clifford when all their angles are multiples of π/2.
ROTATIONS = ("rz", "rx", "ry", "p", "u1", "u2", "u3", "u", "rzz", "rxx", "ryy", "rzx")


@dataclass(frozen=True)
class AngleTemplate:
    """A circuit with one parameter for every rotation angle of a source circuit.

    Attributes:
        circuit: The source with its K angles replaced by the parameters angle[0] … angle[K−1], in
            the order of the instructions.
        expressions: The K angles of the source: numbers, parameters or expressions.
        parameters: The source's parameters, in its order.
    """

    circuit: QuantumCircuit
    expressions: tuple[Any, ...]
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, source: QuantumCircuit, technique: str) -> AngleTemplate:
        """Make the template of an ISA circuit.

        Args:
            source: The circuit.
            technique: Who asks, for the message.

        Raises:
            MitigationError: A gate with parameters that are no rotation angles.
        """
        expressions: list[Any] = []
        for item in source.data:
            if item.params and not isinstance(item.operation, Delay):
                if item.name not in ROTATIONS:
                    raise MitigationError(
                        f"{technique} can't vary the gate {item.name!r}: it takes circuits whose "
                        f"gates with parameters are rotations ({', '.join(ROTATIONS)})"
                    )
                expressions += item.params
        angles = iter(ParameterVector("angle", len(expressions)))
        circuit = source.copy_empty_like()
        circuit.global_phase = 0
        for item in source.data:
            operation = item.operation
            if item.params and not isinstance(operation, Delay):
                operation = type(operation)(*(next(angles) for _ in item.params))
            circuit.append(operation, item.qubits, copy=False)
        return cls(circuit, tuple(expressions), tuple(source.parameters))

    def angles(self, values: BindingsArray) -> Floats:
        """The source's angles for its parameter values, (*shape, K) in radians."""
        rows = values.as_array(self.parameters).reshape(values.size, -1)  # (B, P)
        index = {parameter: i for i, parameter in enumerate(self.parameters)}
        columns = [_evaluated(expression, rows, index) for expression in self.expressions]
        stacked = np.stack(columns, axis=-1) if columns else np.zeros((values.size, 0))
        return stacked.reshape(*values.shape, len(columns))

    def bindings(self, angles: Floats) -> BindingsArray:
        """Values of the template's parameters for angles of shape (*shape, K)."""
        names = tuple(parameter.name for parameter in self.circuit.parameters)
        data = {names: angles} if names else {}
        return BindingsArray(data, shape=angles.shape[:-1])


def _evaluated(expression: Any, rows: Floats, index: Mapping[Parameter, int]) -> Floats:
    """An angle for every row of parameter values, (B,).

    Raises:
        MitigationError: It is not a real number for some row.
    """
    if not isinstance(expression, ParameterExpression):
        return np.full(len(rows), float(expression))
    if isinstance(expression, Parameter):
        return rows[:, index[expression]]
    terms = affine_terms(expression)
    if terms is not None:
        constant = terms.pop(None, 0.0)
        slopes = np.array(list(terms.values()))
        columns = rows[:, [index[parameter] for parameter in terms]]
        return _real(constant + columns @ slopes, expression)
    formula, parameters = formula_of(expression)
    arguments = [rows[:, index[parameter]].astype(complex) for parameter in parameters]
    with np.errstate(all="ignore"):
        return _real(formula(arguments, _FUNCTIONS), expression)


def _real(values: Any, expression: Any) -> Floats:
    found = np.asarray(values, dtype=complex)
    wrong = ~(np.abs(found.imag) <= 1e-12 * np.maximum(np.abs(found.real), 1.0))
    if np.any(wrong | ~np.isfinite(found.real)):
        raise MitigationError(
            f"the gate angle {expression} is not a real number for some of the values given"
        )
    real: Floats = found.real
    return real


_FUNCTIONS: dict[str, Any] = {
    "SIN": np.sin,
    "COS": np.cos,
    "TAN": np.tan,
    "ASIN": np.arcsin,
    "ACOS": np.arccos,
    "ATAN": np.arctan,
    "EXP": np.exp,
    "LOG": np.log,
    "ABS": np.abs,
    "SIGN": np.sign,
    "CONJ": np.conj,
}
