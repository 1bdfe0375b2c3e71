"""What is left of a trained block's accuracy under a device's noise, raw or mitigated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.blocks.cells import Cell
from qvlm_qiskit.studies.blocks.options import BlocksOptions
from qvlm_qiskit.studies.measure import evaluate_on

MOST_QUBITS = 7
"""Of a circuit whose noise is simulated; of 8, six questions took more than five minutes."""


def under_noise(options: BlocksOptions, cell: Cell, path: Path) -> dict[str, Any]:
    """Answers of the first held-out questions on the noisy device, and exactly.

    Args:
        options: Of the study.
        cell: With the mitigation.
        path: The run folder of the trained model.

    Returns:
        ``accuracy`` with Wilson's interval, ``right``, ``exact_right`` and ``seconds_noise``; or
        ``refused``, with the reason why nothing was run.
    """
    run = Run.open(path)
    model = run.answering_model()
    widest = max(
        (one.neural_network.circuit.num_qubits for one in model.quantum_layers.values()), default=0
    )
    if widest > MOST_QUBITS:
        return {"refused": f"{widest} qubits: more than {MOST_QUBITS} are not simulated"}
    asked = run.samples("test", options.limit)
    samples = [asked[number] for number in range(min(options.noisy_limit, len(asked)))]
    exam = Exam(model, samples)
    exact = evaluate_exam(exam)
    backend = open_backend(
        f"noisy:{options.device}", shots=options.shots, mitigation=cell.mitigation, seed=cell.seed
    )
    found, record = evaluate_on(exam, backend)
    return {
        **found.accuracy.as_dict(),
        "right": _marks(found.correct),
        "exact_right": _marks(exact.correct),
        "seconds_noise": record["seconds"],
    }


def _marks(correct: tuple[bool, ...]) -> str:
    return "".join("01"[right] for right in correct)
