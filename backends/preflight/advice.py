"""What to use instead of a circuit that a machine can't run well."""

from __future__ import annotations

import math
from collections import Counter

from qiskit import QuantumCircuit

from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit
from qvlm_qiskit.backends.compilation.deferral import deferred_circuit
from qvlm_qiskit.backends.pubs.unmeasured import measures_in_its_middle
from qvlm_qiskit.basics.late_definitions import without_idle_resets

# Below it a value is mostly noise, and mitigation multiplies its error instead of removing it.
LOW_SUCCESS = 0.5
AMPLITUDE_ENCODING = "amplitude_encoding"
"""The name of ``qvlm_qiskit.quantum.AmplitudeEncoding``."""
EVOLUTION = "hamiltonian_evolution"
"""The name of ``qvlm_qiskit.quantum.HamiltonianEvolution``."""


def advice(circuit: QuantumCircuit, compiled: CompiledCircuit) -> list[str]:
    """Sentences about a circuit on a machine; none where nothing is wrong.

    Args:
        circuit: As written.
        compiled: For the machine.
    """
    width = encoding_qubits(circuit)
    success = compiled.success_probability
    said = [*evolutions(circuit), *_deferral(circuit, compiled)]
    ways = list(said)
    if width > 1:
        said.append(
            f"amplitude encoding of {width} qubits is a tree of {2**width - 2:,} CX gates "
            f"(2^n - 2) before routing; {compiled.two_qubit_gates:,} two-qubit gates here"
        )
    if success is None or success >= LOW_SUCCESS:
        return said if width > 6 else ways
    said.append(f"estimated success probability {success:.2g}: the values are mostly noise")
    largest = largest_encoding(circuit, compiled)
    if largest is not None and largest > 1:
        said.append(
            f"use at most {largest} qubits here (the block's num_qubits; {2**largest - 2:,} CX), "
            f"estimated from this circuit to keep a success probability of {LOW_SUCCESS}, or an "
            "encoding whose CX grow with the qubits (the block's encoding: angle, re-upload, mps)"
        )
    elif width > 1:
        said.append(
            "no amplitude encoding is small enough here: use a machine with lower errors, or the "
            "block's encoding angle, re-upload or mps"
        )
    else:
        said.append("use fewer qubits or layers, or a machine with lower errors")
    return said


def evolutions(circuit: QuantumCircuit) -> list[str]:
    """As what the Hamiltonian evolutions of a circuit run, a sentence for each way."""
    gates = [item.operation for item in circuit.data if item.name == EVOLUTION]
    counts = Counter(getattr(gate, "steps", None) for gate in gates)
    return [
        f"{count} Hamiltonian evolution{'s' * (count > 1)} as the exact matrix in gates, compiled "
        "again for every row"
        if steps is None
        else f"{count} Hamiltonian evolution{'s' * (count > 1)} as a product formula of {steps} "
        f"step{'s' * (steps > 1)}"
        for steps, count in counts.items()
    ]


def _deferral(circuit: QuantumCircuit, compiled: CompiledCircuit) -> list[str]:
    """Whether measurements wait for the end, in a sentence."""
    bare = without_idle_resets(circuit)
    if not measures_in_its_middle(bare) or measures_in_its_middle(compiled.circuit):
        return []
    width = deferred_circuit(bare)[0].num_qubits
    return [
        "measurements, resets and decisions in its middle run as controlled gates on "
        f"{width} qubits instead of {circuit.num_qubits}"
    ]


def encoding_qubits(circuit: QuantumCircuit) -> int:
    """Qubits of the largest amplitude encoding in a circuit; 0 where there is none."""
    widths = [len(item.qubits) for item in circuit.data if item.name == AMPLITUDE_ENCODING]
    return max(widths, default=0)


def largest_encoding(circuit: QuantumCircuit, compiled: CompiledCircuit) -> int | None:
    """The most qubits n with which such a circuit keeps `LOW_SUCCESS`, extrapolated.

    The error per two-qubit gate and the gates that routing adds are taken from this compilation;
    the encoding has 2^n - 2 CX gates, and the gates beside it are counted in proportion to n.

    Returns:
        None where the circuit has no amplitude encoding or the machine states no errors; 0 where
        even one qubit is too much.
    """
    width, success = encoding_qubits(circuit), compiled.success_probability
    if width < 2 or success is None or compiled.two_qubit_gates == 0:
        return None
    tree = 2**width - 2
    beside = circuit.num_nonlocal_gates() - 1  # the encoding itself counts as one
    log_error = math.log(success) if success > 0 else -math.inf
    per_gate = log_error / (tree + beside)  # routing included
    fitting = (
        n
        for n in range(width, 0, -1)
        if per_gate * (2**n - 2 + beside * n / width) >= math.log(LOW_SUCCESS)
    )
    return next(fitting, 0)
