r"""Circuit → tensor program: Pauli rotations, fixed unitaries, evolutions and amplitude loads.

Every parametrised standard gate is, up to a global phase that no expectation value sees, a product
of Pauli rotations :math:`e^{-i\phi P/2}` whose angles are expressions of the circuit's parameters;
everything without parameters is a fixed matrix. So a circuit needs these two kinds of operations,
loads of initial states and exponentials of whole Hamiltonians only, and its angles are one affine
map of the parameters (other expressions are evaluated one by one).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import QuantumCircuit

from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.basics.deferral import NOTHING, deferred, is_dynamic
from qvlm_qiskit.basics.late_definitions import without_idle_resets
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.builder import ProgramBuilder
from qvlm_qiskit.quantum.program.operations import Operation, QubitIndex


@dataclass
class Program:
    """A circuit as operations on its active qubits.

    Attributes:
        num_qubits: Active qubits: those that an instruction acts on.
        width: Qubits of the circuit.
        active: The circuit's index of each active qubit, ascending.
        operations: In order of application.
        angles: The gate angles as functions of the parameters.
        measured: Qubits, by their index in the circuit, that are measured in its middle: X and Y on
            them are 0 at its end. What is beyond the circuit's width holds measured bits and what
            resets have taken away.
        phases: Rows of ``angles`` whose sum is the global phase that the operations leave out;
            empty unless it was asked for.
    """

    num_qubits: int
    width: int
    active: tuple[QubitIndex, ...]
    operations: list[Operation]
    angles: AngleTable
    measured: frozenset[QubitIndex] = frozenset()
    phases: tuple[int, ...] = ()

    def require_state(self) -> None:
        """Refuse a circuit that doesn't end in one state.

        Raises:
            CircuitError: It measures or resets.
        """
        if self.measured:
            raise CircuitError(
                "a circuit that measures or resets ends in a mixture, not in one state: ask for "
                "expectation values"
            )

    def vanishes(self, paulis: Iterable[tuple[str, QubitIndex]]) -> bool:
        """Whether the mean of a Pauli string is 0 by itself.

        An idle qubit stays in |0⟩, and one that was measured holds a bit: ⟨X⟩ = ⟨Y⟩ = 0.

        Args:
            paulis: Letters and the circuit's qubits.
        """
        turned = {qubit for letter, qubit in paulis if letter in "XY"}
        return bool(turned) and not turned <= set(self.active) - self.measured


def compile_circuit(
    circuit: QuantumCircuit, parameters: Sequence[Any] | None = None, with_phase: bool = False
) -> Program:
    """Translate a circuit into a :class:`Program`, once, without binding any value.

    Of any width: whether a state fits is asked by those that make one.

    Args:
        circuit: Gates, measurements, resets and what is decided by measured bits; barriers, delays
            and a final layout are allowed.
        parameters: Order of the parameter vector, by default ``circuit.parameters``.
        with_phase: Keep the global phase too, which states have and expectation values don't.

    Raises:
        CircuitError: An instruction that is not unitary and can't be put at the circuit's end, or
            a parametrised one without a definition; the message names it.
    """
    order = list(circuit.parameters if parameters is None else parameters)
    unknown = set(circuit.parameters) - set(order)
    if unknown:
        names = ", ".join(sorted(p.name for p in unknown))
        raise CircuitError(f"circuit parameters without a value: {names}")
    circuit = without_idle_resets(circuit)
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    dynamic = deferred(circuit) if is_dynamic(circuit) else None
    if dynamic is None:
        acting = {
            index[q]
            for instruction in circuit.data
            if instruction.operation.name not in NOTHING
            for q in instruction.qubits
        }
    else:
        acting = {q for step in dynamic.steps for q in (*step.qubits, *dict(step.controls))}
    active = sorted(acting)
    builder = ProgramBuilder(
        AngleTable(len(order)), {p: i for i, p in enumerate(order)}, len(active), []
    )
    builder.phases = [] if with_phase else None
    position = {q: i for i, q in enumerate(active)}
    if dynamic is None:
        builder.extend(circuit, [position.get(i, -1) for i in range(circuit.num_qubits)])
    for step in () if dynamic is None else dynamic.steps:
        builder.controls = tuple((position[q], value) for q, value in step.controls)
        builder.append(step.operation, tuple(position[q] for q in step.qubits))
    measured = frozenset() if dynamic is None else dynamic.measured
    return Program(
        len(active),
        circuit.num_qubits,
        tuple(active),
        builder.operations,
        builder.angles,
        measured,
        tuple(builder.phases or ()),
    )


def check_state_qubits(count: int, what: str = "the circuit") -> None:
    """Refuse what a statevector can't hold.

    Args:
        count: How many qubits.
        what: What acts on them, for the message.

    Raises:
        CapacityError: More qubits than fit into this machine's memory.
    """
    if count > state_qubits():
        raise CapacityError(
            f"{what} acts on {count} qubits; a statevector of at most {state_qubits()} qubits can "
            "be worked on in this machine's memory. Use open_backend('aer', "
            "method='matrix_product_state'), or hardware"
        )
