"""What is left of a trained block's accuracy under a device's noise, raw or mitigated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.backends.devices.noisy_estimator import DENSITY_QUBITS
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.quantum import QuantumLayer
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.blocks.cells import Cell
from qvlm_qiskit.studies.blocks.options import BlocksOptions
from qvlm_qiskit.studies.measure import evaluate_on

MOST_QUBITS = 12
"""Of a compiled circuit whose noise is simulated; a row of 12 takes about two seconds."""
FEW = 12
"""Questions where trajectories are simulated in place of a density matrix: about a minute."""


def under_noise(options: BlocksOptions, cell: Cell, path: Path) -> dict[str, Any]:
    """Answers of the first held-out questions on the noisy device, and exactly.

    Args:
        options: Of the study.
        cell: With the mitigation.
        path: The run folder of the trained model.

    Returns:
        ``accuracy`` with Wilson's interval, ``right``, ``exact_right`` and ``seconds_noise``; or
        ``refused``, with the reason why nothing was run. ``qubits`` that the widest circuit uses,
        and ``most``, the `most_questions` of it.
    """
    run = Run.open(path)
    model = run.answering_model()
    backend = open_backend(
        f"noisy:{options.device}", shots=options.shots, mitigation=cell.mitigation, seed=cell.seed
    )
    widest = max((qubits_used(one, backend) for one in model.quantum_layers.values()), default=0)
    most = most_questions(options, widest)
    about = {"qubits": widest, "most": most}
    if not most:
        return {**about, "refused": f"{widest} qubits: more than {MOST_QUBITS} are not simulated"}
    asked = run.samples("test", options.limit)
    samples = [asked[number] for number in range(min(most, len(asked)))]
    exam = Exam(model, samples)
    exact = evaluate_exam(exam)
    found, record = evaluate_on(exam, backend)
    return {
        **about,
        **found.accuracy.as_dict(),
        "right": _marks(found.correct),
        "exact_right": _marks(exact.correct),
        "seconds_noise": record["seconds"],
    }


def most_questions(options: BlocksOptions, qubits: int) -> int:
    """How many questions are asked of circuits at most; none of those that are not simulated.

    Args:
        options: Of the study.
        qubits: That the widest of them uses.
    """
    if qubits > MOST_QUBITS:
        return 0
    return options.noisy_limit if qubits <= DENSITY_QUBITS else min(FEW, options.noisy_limit)


def asked_otherwise(options: BlocksOptions, row: Mapping[str, Any]) -> bool:
    """Whether another number of questions would be asked today than a row under noise has.

    Rows of older versions do not say how wide their circuits are: those that were refused are
    asked again.
    """
    if "most" not in row:
        return "refused" in row
    return bool(row["most"] != most_questions(options, row["qubits"]))


def qubits_used(layer: QuantumLayer, backend: Backend) -> int:
    """The qubits that a circuit uses on a machine: a route takes more than the circuit has.

    What no machine compiles before it has values, an evolution by a matrix, has a circuit's own.
    """
    network = layer.neural_network
    circuit: QuantumCircuit = network.circuit
    if circuit.num_qubits > MOST_QUBITS or needs_values(circuit):
        return int(circuit.num_qubits)
    compiled = backend.compile(circuit, [[one] for one in network.observables])
    return len(active_qubits(compiled.circuit, compiled.observables, dynamic=True))


def _marks(correct: tuple[bool, ...]) -> str:
    return "".join("01"[right] for right in correct)
