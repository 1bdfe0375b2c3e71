r"""The gate :math:`e^{-itH}` whose Hamiltonian and time may be inputs, weights or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import Gate, ParameterExpression, QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.basics.parameter_expressions import is_free
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum.encoding import Angle
from qvlm_qiskit.quantum.hamiltonian_forms import EntryForm, Form, PauliForm, entry_form

MAX_QUBITS = 7
"""A Hamiltonian of more qubits is more than 16,384 numbers."""
HERMITIAN_TOLERANCE = 1e-8
"""How far two mirrored entries may differ, in units of the largest entry."""


class HamiltonianEvolution(Gate):  # type: ignore[misc]
    r"""The gate :math:`e^{-itH}` of a real symmetric or Hermitian H on up to 7 qubits.

    The numbers that H consists of, and the time, may each be a number, a parameter or an expression
    of parameters. H is given in one of these ways:

    - a mapping from Pauli strings to factors, ``{"ZZ": a, "XI": 0.5}``, or a ``SparsePauliOp``;
    - a vector of the entries on and above the diagonal, row by row: 2ⁿ(2ⁿ + 1)/2 of them make a
      real symmetric matrix; with the imaginary parts of those above the diagonal behind them, 4ⁿ in
      all, they make a Hermitian one;
    - a square matrix. An expression among its entries is real, so the entries across the diagonal
      are the same.

    As everywhere in Qiskit, the first qubit that the gate acts on is the matrix's least significant
    one, and a Pauli string's last letter acts on it.

    It means the same everywhere:

    - without ``steps``, the exact exponential. The exact engine and its derivatives diagonalise H,
      once for all gates of a circuit whose H is made of the same values, and once for all samples
      if no input is among them. Every other estimator runs the matrix as gates, by Qiskit's
      synthesis of unitaries: up to 4ⁿ/2 CX gates. That needs numbers: a circuit that holds the gate
      itself, not inside another gate, is bound and compiled row by row. Values have no
      parameter-shift rule then.
    - with ``steps``, a product formula of first order: in each step one rotation per Pauli string.
      It is off by the order of t²/steps; the circuit is compiled once, and has shift rules.

    What a machine would run is among the notes of ``preflight``.
    """

    def __init__(
        self,
        hamiltonian: Mapping[str, Angle] | SparsePauliOp | Sequence[Any] | npt.NDArray[Any],
        time: Angle,
        steps: int | None = None,
        label: str | None = None,
    ) -> None:
        """Create the gate.

        Args:
            hamiltonian: H; see the class.
            time: t.
            steps: Of a product formula; None for the exact exponential.
            label: Shown by circuit drawers.

        Raises:
            CircuitError: H is not Hermitian, has a wrong number of entries or an unknown string, or
                ``steps`` is not a positive whole number.
            CapacityError: More than 7 qubits.
        """
        if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
            raise CircuitError(f"steps must be a whole number of at least 1 or None, got {steps!r}")
        form, values = _read(hamiltonian)
        _check_width(form.num_qubits)
        self.form: Form = form
        self.steps = None if steps is None else int(steps)
        super().__init__(
            "hamiltonian_evolution", form.num_qubits, [*values, _real(time, "time")], label=label
        )

    @property
    def values(self) -> list[Angle]:
        """The numbers that H consists of, in the order of ``form``."""
        return list(self.params[:-1])

    @property
    def time(self) -> Angle:
        """The time t."""
        return self.params[-1]

    @property
    def is_bound(self) -> bool:
        """Whether everything is a number."""
        return not any(isinstance(p, ParameterExpression) and p.parameters for p in self.params)

    def unitary(self) -> npt.NDArray[np.complex128]:
        """The exact matrix, for numbers."""
        *values, time = (float(value) for value in self.params)
        levels, vectors = np.linalg.eigh(
            self.form.matrix(torch.tensor(values, dtype=torch.float64)).numpy()
        )
        found: npt.NDArray[np.complex128] = (
            vectors * np.exp(-1j * time * levels)
        ) @ vectors.conj().T
        return found

    def inverse(self, annotated: bool = False) -> HamiltonianEvolution:
        """The evolution back: for the time -t.

        Args:
            annotated: Not looked at: the inverse is a gate of this class in any case.
        """
        result: HamiltonianEvolution = self.copy()
        result._definition = None
        result.params = [*self.values, -self.time]
        return result

    def __eq__(self, other: object) -> bool:
        """Also the same form of H: numbers alone don't say what they are the factors of."""
        return (
            isinstance(other, HamiltonianEvolution)
            and (self.form, self.steps) == (other.form, other.steps)
            and bool(super().__eq__(other))
        )

    __hash__ = None  # type: ignore[assignment]  # parameters can be assigned, as to any gate

    def _define(self) -> None:
        if self.steps is None and not self.is_bound:
            return  # there is none before values are known
        circuit = QuantumCircuit(self.num_qubits, name=self.name)
        if self.steps is None:
            circuit.append(UnitaryGate(self.unitary()), range(self.num_qubits))
        else:
            self._append_steps(circuit, self.steps)
        self.definition = circuit

    def _append_steps(self, circuit: QuantumCircuit, steps: int) -> None:
        step = QuantumCircuit(self.num_qubits)
        for label, value in self.form.strings(self.values):
            angle = self.time * value * (1 / steps)
            if label.strip("I"):
                rotation = PauliEvolutionGate(SparsePauliOp(label), angle)
                step.compose(rotation.definition, inplace=True)
            else:
                step.global_phase -= angle
        for _ in range(steps):
            circuit.compose(step, inplace=True)


def _read(hamiltonian: Any) -> tuple[Form, list[Angle]]:
    if isinstance(hamiltonian, SparsePauliOp):
        hamiltonian = hamiltonian.simplify()
        pairs = zip(hamiltonian.paulis.to_labels(), hamiltonian.coeffs, strict=True)
        return _from_strings(dict(pairs))
    if isinstance(hamiltonian, Mapping):
        return _from_strings(hamiltonian)
    entries = np.array(hamiltonian, dtype=object)
    if entries.ndim == 2:
        return _from_matrix(entries)
    form = entry_form(len(entries)) if entries.ndim == 1 else None
    if form is None:
        raise CircuitError(
            f"a Hamiltonian's entries are 2ⁿ(2ⁿ + 1)/2 for a real symmetric matrix, 4ⁿ for a "
            f"Hermitian one, or a square matrix, not {' × '.join(map(str, entries.shape))} values"
        )
    return form, [_real(value, "a Hamiltonian's entry") for value in entries]


def _from_strings(strings: Mapping[str, Any]) -> tuple[Form, list[Angle]]:
    labels = tuple(strings)
    lengths = {len(label) for label in labels}
    if len(lengths) != 1 or 0 in lengths or set("".join(labels)) - set("IXYZ"):
        shown = ", ".join(map(repr, labels[:4])) + (", …" if len(labels) > 4 else "")
        raise CircuitError(
            "a Hamiltonian's Pauli strings are at least one, all of one length, of the letters "
            f"I, X, Y and Z, not {shown or 'none'}"
        )
    return PauliForm(labels), [
        _real(value, f"the factor of {name!r}") for name, value in strings.items()
    ]


def _from_matrix(entries: npt.NDArray[Any]) -> tuple[Form, list[Angle]]:
    side = len(entries)
    if entries.shape != (side, side) or side < 2 or side & (side - 1):
        raise CircuitError(
            f"a Hamiltonian is a square matrix of 2ⁿ rows with n ≥ 1, not one of "
            f"{' × '.join(map(str, entries.shape))}"
        )
    _check_width(side.bit_length() - 1)
    numbers = np.array([[_number(value) for value in row] for row in entries])
    _check_hermitian(entries, numbers)
    form = EntryForm(side.bit_length() - 1, not numbers.imag.any())
    values: list[Angle] = [
        entries[i, j] if is_free(entries[i, j]) else float(numbers[i, j].real)
        for i, j in zip(*np.triu_indices(side), strict=True)
    ]
    if not form.is_real:
        values += numbers.imag[np.triu_indices(side, 1)].tolist()
    return form, values


def _check_hermitian(entries: npt.NDArray[Any], numbers: npt.NDArray[np.complex128]) -> None:
    largest = float(np.abs(numbers).max())
    differs = ~(np.abs(numbers - numbers.conj().T) <= HERMITIAN_TOLERANCE * largest)
    for i, j in zip(*np.triu_indices(len(entries)), strict=True):
        if is_free(entries[i, j]) or is_free(entries[j, i]):
            differs[i, j] = entries[i, j] != entries[j, i]
        if differs[i, j]:
            raise CircuitError(
                f"a Hamiltonian has to be Hermitian: its entry [{i}, {j}] is {entries[i, j]}, and "
                f"[{j}, {i}] is {entries[j, i]}"
            )


def _check_width(num_qubits: int) -> None:
    if num_qubits > MAX_QUBITS:
        raise CapacityError(
            f"a Hamiltonian evolution acts on at most {MAX_QUBITS} qubits, this one has "
            f"{num_qubits}: use PauliEvolutionGate"
        )


def _number(value: Any) -> complex:
    return 0j if is_free(value) else complex(value)


def _real(value: Any, what: str) -> Angle:
    """A real number, or an expression as it is."""
    if is_free(value):
        return value
    number = complex(value)
    if abs(number.imag) > HERMITIAN_TOLERANCE * abs(number) or not np.isfinite(number):
        raise CircuitError(f"{what} must be a finite real number, got {value}")
    return number.real
