"""Cut a circuit on a large device down to the qubits that it uses.

A four-qubit circuit compiled for a device of 133 qubits is a circuit of 133 qubits; simulating it
costs seconds or all memory. Qubits without a gate and without an observable stay in |0⟩ and change
no expectation value, so circuit, observables, target and noise are restricted to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.providers import BackendV2, Options
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import Target

from qvlm_qiskit.backends.pubs.put import put
from qvlm_qiskit.backends.pubs.unmeasured import check_unmeasured, measures_in_its_middle
from qvlm_qiskit.errors import BackendError

# Neither acts on a qubit that nothing else acts on.
_PASSIVE = ("barrier", "delay")


def active_qubits(
    circuit: QuantumCircuit, observables: ObservablesArray, dynamic: bool = False
) -> tuple[int, ...]:
    """Ascending indices of the qubits with a gate or with a non-identity factor to measure.

    Qubit 0 alone when there are none, since a circuit needs a qubit.

    Args:
        circuit: On all qubits.
        observables: On the same.
        dynamic: Whether the circuit may measure in its middle.

    Raises:
        CircuitError: The circuit measures or has control flow, and may not.
    """
    if not (dynamic and measures_in_its_middle(circuit)):
        check_unmeasured(circuit)
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    active = {
        index[bit] for item in circuit.data if item.name not in _PASSIVE for bit in item.qubits
    }
    for observable in observables.sparse_observables_array().ravel():
        active.update(int(qubit) for qubit in observable.indices)
    return tuple(sorted(active)) or (0,)


def restrict_circuit(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The same instructions on len(qubits) qubits; device qubit qubits[i] becomes qubit i."""
    reduced = QuantumCircuit(len(qubits), global_phase=circuit.global_phase)
    own = [circuit.qubits[qubit] for qubit in qubits]
    position = dict(zip(own, reduced.qubits, strict=True))
    if measures_in_its_middle(circuit):
        reduced.add_bits(circuit.clbits)
        for register in circuit.cregs:
            reduced.add_register(register)
    for item in circuit.data:
        kept = [position[bit] for bit in item.qubits if bit in position]
        if item.name == "barrier":
            reduced.barrier(kept)
        elif kept:
            put(reduced, item, kept, item.clbits)
    return reduced


def restrict_observables(observables: ObservablesArray, qubits: Sequence[int]) -> ObservablesArray:
    """The same observables on len(qubits) qubits, which must hold all their factors."""
    position = {qubit: i for i, qubit in enumerate(qubits)}
    array = observables.sparse_observables_array(copy=False)
    reduced = array.copy()
    for where, observable in enumerate(array.ravel()):
        terms = [
            (letters, [position[int(qubit)] for qubit in support], coefficient)
            for letters, support, coefficient in observable.to_sparse_list()
        ]
        reduced.reshape(-1)[where] = SparseObservable.from_sparse_list(terms, len(qubits))
    return ObservablesArray(reduced, num_qubits=len(qubits), validate=False)


def restrict_target(target: Target, qubits: Sequence[int]) -> Target:
    """The target of the sub-device on `qubits`, with its calibration; qubits[i] becomes i."""
    position = {qubit: i for i, qubit in enumerate(qubits)}
    properties = target.qubit_properties
    reduced = Target(
        num_qubits=len(qubits),
        dt=target.dt,
        qubit_properties=None if properties is None else [properties[q] for q in qubits],
    )
    for name in target.operation_names:
        placements = target[name]
        if placements is None or None in placements:
            # Control flow and other global instructions: circuits here have none of them.
            continue
        kept = {
            tuple(position[q] for q in operands): value
            for operands, value in placements.items()
            if set(operands) <= set(position)
        }
        if kept:
            reduced.add_instruction(target.operation_from_name(name), kept, name=name)
    return reduced


class ReducedBackend(BackendV2):
    """A device cut down to a few qubits: its target, for simulators that read the noise from it."""

    def __init__(self, device: BackendV2, qubits: Sequence[int]) -> None:
        super().__init__(name=f"{device.name}_{len(qubits)}q")
        self.physical_qubits = tuple(qubits)
        self._reduced_target = restrict_target(device.target, qubits)

    @property
    def target(self) -> Target:
        """The restricted target."""
        return self._reduced_target

    @property
    def max_circuits(self) -> None:
        """No limit."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """Not offered: this object describes a device, the estimators run it.

        Raises:
            BackendError: Always.
        """
        raise BackendError(f"{self.name} only describes a device; run its estimator instead")
