"""The stages of a demo behind its training, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.basics.progress import Track
from qvlm_qiskit.evaluation import (
    Evaluation,
    Exam,
    capture_rows,
    evaluate_exam,
    majority_baseline,
    paired_difference,
    shuffle_images,
)
from qvlm_qiskit.evaluation.expectations import Rows
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.demo.options import DemoOptions
from qvlm_qiskit.studies.demo.runtime_stage import recorded_inference
from qvlm_qiskit.studies.measure import circuits_on, errors_on, evaluate_on
from qvlm_qiskit.studies.noise.sweep import NoiseSweep, noise_sweep


@dataclass(frozen=True)
class TrainedDemo:
    """What every stage works on.

    Attributes:
        options: Sizes.
        run: The trained run.
        exam: The run's model and the held-out questions of the exact evaluation.
        rows: Circuits per block whose expectation values are compared.
        track: Opens progress bars.
    """

    options: DemoOptions
    run: Run
    exam: Exam
    rows: Mapping[str, Rows]
    track: Track

    @classmethod
    def of(cls, options: DemoOptions, run: Run, track: Track) -> TrainedDemo:
        """Open a run that was just trained."""
        samples = run.samples("test", options.test_samples)
        exam = Exam(run.answering_model(), samples)
        inputs = exam.model.inputs(samples[:100])
        return cls(options, run, exam, capture_rows(exam.model.module, inputs, options.rows), track)

    def first(self, count: int) -> Exam:
        """The first questions."""
        return Exam(self.exam.model, self.exam.samples[:count])


def exact_stage(demo: TrainedDemo) -> tuple[Evaluation, dict[str, Any]]:
    """Exact answers to all questions, and the baselines."""
    exam, run, track = demo.exam, demo.run, demo.track
    backend = open_backend("statevector")
    exact, record = evaluate_on(exam, backend, track=track, what="exact evaluation")
    blind = Exam(exam.model, shuffle_images(exam.samples, run.seed))
    shuffled = evaluate_exam(blind, track=track, what="shuffled images")
    training = run.samples("train", run.info["options"]["train_samples"])
    majority = majority_baseline(training, exam.samples)
    baselines = {"majority": majority.as_dict(), "shuffled": shuffled.as_dict()}
    return exact, {"exact": record, "baselines": baselines, "answers": {"exact": exact.answers}}


def noisy_stage(demo: TrainedDemo, exact: Evaluation) -> dict[str, Any]:
    """Answers under the device's noise, raw and mitigated, and their paired differences."""
    options, subset = demo.options, demo.first(demo.options.noisy_samples)
    noisy: dict[str, Any] = {}
    answers: dict[str, Any] = {"exact": exact.answers}
    correct = {"exact": exact.correct[: len(subset)]}
    circuits: list[dict[str, Any]] = []
    for name in ("none", options.mitigation):
        backend = open_backend(
            f"noisy:{options.device}",
            shots=options.shots,
            mitigation=name,
            seed=options.training.seed,
        )
        label = "raw" if name == "none" else "mitigated"
        found, record = evaluate_on(
            subset, backend, track=demo.track, what=f"noisy device, {label}"
        )
        errors = errors_on(subset.model.module, demo.rows, backend)
        noisy[label] = {**record, "expectations": errors}
        answers[label], correct[label] = found.answers, found.correct
        circuits = circuits_on(subset.model.module, backend)
    differences = {
        f"{a} - {b}": paired_difference(correct[a], correct[b], options.training.seed).as_dict()
        for a, b in (("raw", "exact"), ("mitigated", "exact"), ("mitigated", "raw"))
    }
    return {"noisy": noisy, "differences": differences, "circuits": circuits, "answers": answers}


def runtime_stage(demo: TrainedDemo) -> dict[str, Any]:
    """Answers through the Runtime client, kept in a ledger in the run folder."""
    options = demo.options
    backend = open_backend(
        options.device,
        shots=options.shots,
        mitigation="resilience-1",
        seed=options.training.seed,
    )
    exam = demo.first(options.runtime_samples)
    return recorded_inference(exam, backend, demo.run.path / "ledger", track=demo.track)[1]


def sweep_stage(demo: TrainedDemo) -> list[dict[str, Any]]:
    """Accuracy and expectation errors at several strengths of the noise."""
    options = demo.options
    sweep = NoiseSweep(
        f"noisy:{options.device}", tuple(options.scales or ()), options.shots, demo.run.seed
    )
    return noise_sweep(demo.first(options.noisy_samples), demo.rows, sweep, track=demo.track)
