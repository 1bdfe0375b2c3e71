"""Circuits with a change of basis and measurements behind them."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qvlm_qiskit.backends.compilation.compiler import transpiling


def basis_change(num_qubits: int, basis: dict[int, str], target: Target | None) -> QuantumCircuit:
    """Rotates each qubit of `basis` to Z in the target's own gates (None: in h and sdg)."""
    rotation = QuantumCircuit(num_qubits)
    for qubit, letter in sorted(basis.items()):
        if letter == "Y":
            rotation.sdg(qubit)
        if letter in "XY":
            rotation.h(qubit)
    if target is not None:
        with transpiling:
            rotation = PassManager([Optimize1qGatesDecomposition(target=target)]).run(rotation)
    return rotation


def with_measurements(
    circuit: QuantumCircuit, basis: dict[int, str], target: Target | None
) -> QuantumCircuit:
    """The circuit with a change of basis and its measurements."""
    rotation = basis_change(circuit.num_qubits, basis, target)
    measured = QuantumCircuit(circuit.num_qubits, global_phase=circuit.global_phase)
    measured.add_bits([*(Clbit() for _ in basis), *circuit.clbits])
    for register in circuit.cregs:
        measured.add_register(register)
    measured.compose(circuit, clbits=circuit.clbits, inplace=True, copy=False)
    measured.compose(rotation, inplace=True)
    measured.measure(sorted(basis), range(len(basis)))
    return measured
