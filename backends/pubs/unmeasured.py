"""Circuits that measure in their middle, or decide by what was measured: few machines run them."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp
from qiskit.transpiler import Target

from qvlm_qiskit.errors import CircuitError

_PASSIVE = ("barrier", "delay", "measure")


def measures_in_its_middle(circuit: QuantumCircuit) -> bool:
    """Whether something happens behind a measurement or a reset, or is decided by bits.

    What only measures at its end is not dynamic: that is an estimator's own business.
    """
    if circuit.has_control_flow_op():
        return True
    measured: set[object] = set()
    for item in circuit.data:
        if item.name == "reset" or (item.name not in _PASSIVE and measured & set(item.qubits)):
            return True
        if item.name not in _PASSIVE and item.clbits:
            return True
        measured |= set(item.qubits) if item.name == "measure" else set()
    return False


def runs_dynamic(circuit: QuantumCircuit, target: Target) -> bool:
    """Whether a target has all that a dynamic circuit needs beside gates."""
    return _needed(circuit) <= set(target.operation_names)


def _needed(circuit: QuantumCircuit) -> set[str]:
    """Names of what no gate does, in the circuit and its blocks."""
    names: set[str] = set()
    for item in circuit.data:
        if isinstance(item.operation, ControlFlowOp):
            names |= {item.name}.union(*map(_needed, item.operation.blocks))
        elif item.name in ("measure", "reset"):
            names.add(item.name)
    return names


def check_unmeasured(circuit: QuantumCircuit) -> None:
    """Refuse what reads or writes a classical bit; bits that nothing uses are no obstacle.

    Raises:
        CircuitError: The circuit measures, stores or has control flow.
    """
    if circuit.has_control_flow_op():
        raise CircuitError(
            "the circuit has control flow, which this backend does not run: 'statevector' computes "
            "it exactly, 'aer' and noisy:* of a device (not with method='density') run it with "
            "shots and without mitigation; or write its branches as controlled gates"
        )
    found = next((item.name for item in circuit.data if item.clbits), None)
    if found is not None:
        raise CircuitError(
            f"the circuit has the instruction {found!r} on classical bits; an estimator measures "
            "by itself: call circuit.remove_final_measurements() first"
        )


def without_clbits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without its classical bits; the same object where there are none.

    Raises:
        CircuitError: The circuit measures, stores or has control flow.
    """
    check_unmeasured(circuit)
    if not circuit.num_clbits:
        return circuit
    bare = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    for item in circuit.data:
        bare.append(item.operation, item.qubits, copy=False)
    return bare
