"""One model on one machine: answers, circuits and expectation errors as plain data."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import (
    Evaluation,
    Exam,
    Measurement,
    Metrics,
    evaluate_exam,
    expectation_errors,
)
from qvlm_qiskit.evaluation.expectations import Rows
from qvlm_qiskit.evaluation.loss import exam_tokens
from qvlm_qiskit.quantum import quantum_layers
from qvlm_qiskit.runs import Run


def evaluate_on(
    exam: Exam,
    backend: Backend,
    *,
    batch_size: int = 100,
    track: Track = silent,
    what: str | None = None,
) -> tuple[Evaluation, dict[str, Any]]:
    """Evaluate a model's weights on a backend, and put the model back where it was.

    Returns:
        The evaluation, and the same as plain data with the backend's description and the time.
    """
    started = time.perf_counter()
    with exam.model.run_on(backend):
        found = evaluate_exam(exam, batch_size=batch_size, track=track, what=what or backend.name)
    record = {
        "backend": backend.describe(),
        "seconds": round(time.perf_counter() - started, 2),
        **found.as_dict(),
    }
    return found, record


def metrics_on(
    exam: Exam, backend: Backend, found: Evaluation, metrics: Metrics, *, batch_size: int = 100
) -> Measurement:
    """Metrics of the answers that `evaluate_on` has found, with intervals.

    Metrics of tokens take one more forward pass per batch, with the right answers.

    Args:
        exam: What was evaluated.
        backend: Where.
        found: The answers.
        metrics: Which.
        batch_size: Samples per forward pass.

    Raises:
        QVLMError: The samples have too few references, or a Java program failed.
    """
    tokens = None
    if metrics.need_tokens:
        with exam.model.run_on(backend):
            tokens = exam_tokens(exam, batch_size=batch_size)
    return metrics.measure(found.material(exam, tokens))


def check_alike(
    runs: Sequence[tuple[Path, Mapping[str, Any]]],
    free: Sequence[str],
    besides: Sequence[str] = (),
) -> None:
    """Refuse runs whose numbers could not be compared, with what tells them apart.

    Args:
        runs: Run folders, and what they were trained with.
        free: Options in which they may differ.
        besides: What else may differ, for the message.

    Raises:
        InputError: Two of them differ in another option.
    """
    (first, expected), *others = runs
    for path, options in others:
        for name in sorted({*expected, *options} - set(free)):
            mine, theirs = expected.get(name), options.get(name)
            if mine != theirs:
                *most, last = [*free, *besides]
                said = f"{', '.join(most)} and {last}" if most else last
                raise InputError(
                    f"{first} was trained with {name}={mine} and {path} with {name}={theirs}; "
                    f"the runs of one study differ in {said} only"
                )


def weights_digest(run: Run) -> str:
    """SHA-256 of a run's weights, all files of them; of one file its own."""
    digest = hashlib.sha256()
    for file in sorted((run.path / "model").glob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def check_circuits(exam: Exam, backend: Backend) -> None:
    """Refuse a machine for a model that has nothing to run there.

    Raises:
        InputError: The model has no quantum layer.
    """
    if backend.name != "statevector" and not exam.model.quantum_layers:
        raise InputError(
            f"the model has no quantum layer, so nothing would run on {backend.name!r}: evaluate "
            "it without --backend"
        )


def errors_on(model: nn.Module, rows: Mapping[str, Rows], backend: Backend) -> list[dict[str, Any]]:
    """Errors of a backend's expectation values as plain data, one entry per quantum layer."""
    return [error.as_dict() for error in expectation_errors(model, dict(rows), backend)]


def circuits_on(model: nn.Module, backend: Backend) -> list[dict[str, Any]]:
    """What every block's circuit becomes on a backend's device."""
    described = []
    for name, layer in quantum_layers(model).items():
        network = layer.neural_network
        compiled = backend.compile(network.circuit, [[o] for o in network.observables])
        described.append(
            {
                "block": name,
                "qubits": network.circuit.num_qubits,
                "inputs": network.num_inputs,
                "weights": network.num_weights,
                "observables": len(network.observables),
                "physical_qubits": [int(q) for q in compiled.layout],
                "two_qubit_gates": compiled.two_qubit_gates,
                "depth": compiled.depth,
                "estimated_success_probability": compiled.success_probability,
            }
        )
    return described
