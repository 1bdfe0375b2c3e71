"""What an estimator's circuit may not do: measure, or decide by what was measured."""

from __future__ import annotations

from qiskit import QuantumCircuit

from qvlm_qiskit.errors import CircuitError


def check_unmeasured(circuit: QuantumCircuit) -> None:
    """Refuse what reads or writes a classical bit; bits that nothing uses are no obstacle.

    Raises:
        CircuitError: The circuit measures, stores or has control flow.
    """
    if circuit.has_control_flow_op():
        raise CircuitError(
            "the circuit has control flow, which an estimator's circuit may not have: write its "
            "branches as controlled gates"
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
