"""``qvlm demo``: train, evaluate exactly and on a noisy device, submit, sweep, report.

The stages are the functions of this file, in the order of :func:`run_demo`.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.backend import installed_versions
from qvlm_qiskit.data import Sample, encode_prompts, open_data
from qvlm_qiskit.errors import InputError, NoiseModelError
from qvlm_qiskit.evaluation import (
    Evaluation,
    capture_rows,
    evaluate,
    majority_baseline,
    paired_difference,
    shuffle_images,
)
from qvlm_qiskit.evaluation.expectations import Rows
from qvlm_qiskit.files import check_new_folder, new_folder, write_json
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.progress import Track, silent
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.demo.demo_report import FORMAT, VERSION, DemoReport
from qvlm_qiskit.studies.demo.runtime_stage import recorded_inference
from qvlm_qiskit.studies.measure import circuits_on, errors_on, evaluate_on
from qvlm_qiskit.studies.noise.sweep import SCALES, noise_sweep
from qvlm_qiskit.training import TrainingOptions, build_model, train

EXAMPLES = 6


@dataclass(frozen=True)
class DemoOptions:
    """Sizes of the demo.

    Attributes:
        training: What to train.
        device: The fake IBM device, as ``open_backend`` names it.
        mitigation: Compared with the raw noisy values.
        shots: Per circuit.
        test_samples: Held-out questions of the exact evaluation.
        noisy_samples: How many of them are also asked on the noisy simulator.
        runtime_samples: How many go through the Runtime client.
        scales: Noise factors of the sweep; by default those of
            :data:`~qvlm_qiskit.studies.noise.sweep.SCALES` that are physical on the device.
        rows: Circuits per block whose expectation values are compared.
    """

    training: TrainingOptions = field(default_factory=TrainingOptions)
    device: str = "fake_torino"
    mitigation: str = "readout+zne"
    shots: int = 1000
    test_samples: int = 500
    noisy_samples: int = 200
    runtime_samples: int = 40
    scales: Sequence[float] | None = None
    rows: int = 100

    def __post_init__(self) -> None:
        """Refuse what the stages can't be run with.

        Raises:
            InputError: A subset larger than the test set or too small, no noise factors, no rows,
                or no mitigation to compare with.
        """
        if self.mitigation == "none" or self.scales == () or self.rows < 1:
            raise InputError(
                "the demo compares a mitigation, noise factors and at least 1 circuit row, got "
                f"mitigation {self.mitigation!r}, factors {self.scales} and {self.rows} rows"
            )
        for name in ("noisy_samples", "runtime_samples"):
            if not 2 <= getattr(self, name) <= self.test_samples:
                raise InputError(
                    f"{name} must be between 2 and test_samples = {self.test_samples}, got "
                    f"{getattr(self, name)}"
                )


def run_demo(
    options: DemoOptions, out: Path, *, overwrite: bool = False, track: Track = silent
) -> dict[str, Any]:
    """Run every stage, and leave a run folder with ``report.html`` and ``results.json`` in it.

    Args:
        options: Sizes.
        out: The run folder; refused if it exists, unless ``overwrite``.
        overwrite: Replace it.
        track: Opens progress bars.

    Returns:
        What ``results.json`` holds.

    Raises:
        QVLMError: Any refusal of the stages. Every backend answers for one circuit before the
            training starts, so that a wrong name, option or size does not cost one.
    """
    started = time.perf_counter()
    check_new_folder(out, overwrite)
    options = _rehearse(options)
    with new_folder(out, overwrite) as folder:
        try:
            return _run_in(folder, options, started, track)
        finally:
            # a demo is whole or it is not there: nothing of its training is left to resume
            shutil.rmtree(folder.with_name(folder.name + ".partial"), ignore_errors=True)


def _run_in(folder: Path, options: DemoOptions, started: float, track: Track) -> dict[str, Any]:
    run = train(options.training, folder, overwrite=True, track=track)
    model, processor = run.model(), run.processor()
    samples = run.samples("test", options.test_samples)
    exact, results = _exact_stage(run, model, processor, samples, track)
    batch = encode_prompts(
        processor, [s.image for s in samples[:100]], [s.question for s in samples[:100]]
    )
    rows = capture_rows(model, batch, options.rows)
    results |= _noisy_stage(options, model, processor, samples, exact, rows, track)
    results["runtime"] = _runtime_stage(options, model, processor, samples, run.path, track)
    results["noise_sweep"] = noise_sweep(
        model,
        processor,
        samples[: options.noisy_samples],
        rows,
        f"noisy:{options.device}",
        scales=options.scales or (),
        shots=options.shots,
        seed=run.seed,
        track=track,
    )
    results["examples"] = _examples(results.pop("answers"), samples)
    return _finish(options, run, results, samples, time.perf_counter() - started)


def _rehearse(options: DemoOptions) -> DemoOptions:
    """One circuit of every block of an untrained model on every backend that comes later.

    Returns:
        The options with the noise factors that will be used.
    """
    model, processor = build_model(options.training)
    sample = open_data(options.training.data, "test", 1)[0]
    rows = capture_rows(
        model.eval(), encode_prompts(processor, [sample.image], [sample.question]), limit=1
    )
    noisy = f"noisy:{options.device}"
    backends = [
        open_backend(noisy, shots=options.shots, mitigation=options.mitigation),
        open_backend(options.device, shots=options.shots, mitigation="resilience-1"),
    ]
    for backend in backends:
        errors_on(model, rows, backend)
    possible = []
    for scale in SCALES if options.scales is None else options.scales:
        try:
            errors_on(model, rows, open_backend(noisy, shots=options.shots, noise_scale=scale))
        except NoiseModelError:
            if options.scales is not None:
                raise
        else:
            possible.append(scale)
    return dataclasses.replace(options, scales=tuple(possible))


def _exact_stage(
    run: Run,
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: list[Sample],
    track: Track,
) -> tuple[Evaluation, dict[str, Any]]:
    backend = open_backend("statevector")
    exact, record = evaluate_on(
        model, processor, samples, backend, track=track, what="exact evaluation"
    )
    shuffled = evaluate(
        model, processor, shuffle_images(samples, run.seed), track=track, what="shuffled images"
    )
    training = run.samples("train", run.info["options"]["train_samples"])
    majority = majority_baseline(training, samples)
    baselines = {"majority": majority.as_dict(), "shuffled": shuffled.as_dict()}
    return exact, {"exact": record, "baselines": baselines, "answers": {"exact": exact.answers}}


def _noisy_stage(
    options: DemoOptions,
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: list[Sample],
    exact: Evaluation,
    rows: dict[str, Rows],
    track: Track,
) -> dict[str, Any]:
    subset = samples[: options.noisy_samples]
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
            model, processor, subset, backend, track=track, what=f"noisy device, {label}"
        )
        noisy[label] = {**record, "expectations": errors_on(model, rows, backend)}
        answers[label], correct[label] = found.answers, found.correct
        circuits = circuits_on(model, backend)
    differences = {
        f"{a} - {b}": paired_difference(correct[a], correct[b], options.training.seed).as_dict()
        for a, b in (("raw", "exact"), ("mitigated", "exact"), ("mitigated", "raw"))
    }
    return {"noisy": noisy, "differences": differences, "circuits": circuits, "answers": answers}


def _runtime_stage(
    options: DemoOptions,
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: list[Sample],
    folder: Path,
    track: Track,
) -> dict[str, Any]:
    backend = open_backend(
        options.device,
        shots=options.shots,
        mitigation="resilience-1",
        seed=options.training.seed,
    )
    _, record = recorded_inference(
        model,
        processor,
        samples[: options.runtime_samples],
        backend,
        folder / "ledger",
        track=track,
    )
    return record


def _examples(answers: dict[str, Sequence[str]], samples: list[Sample]) -> list[dict[str, Any]]:
    """The first questions with the answers of every machine."""
    return [
        {
            "index": index,
            "question": samples[index].question,
            "expected": samples[index].answer,
            "answers": {name: given[index] for name, given in answers.items()},
        }
        for index in range(min(EXAMPLES, *(len(given) for given in answers.values())))
    ]


def _finish(
    options: DemoOptions,
    run: Run,
    results: dict[str, Any],
    samples: list[Sample],
    seconds: float,
) -> dict[str, Any]:
    """Write the example images, ``results.json`` and ``report.html``."""
    images = run.path / "samples"
    images.mkdir(exist_ok=True)
    for example in results["examples"]:
        sample = samples[example["index"]]
        sample.image.save(images / f"{example['index']}.png")
    results = {
        "format": FORMAT,
        "version": VERSION,
        "created_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": installed_versions(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "torch_threads": torch.get_num_threads(),
        },
        "seconds": round(seconds, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "options": {**dataclasses.asdict(options), "scales": list(options.scales or ())},
        "scales_left_out": [s for s in SCALES if s not in (options.scales or ())],
        "training": run.info,
        **results,
    }
    write_json(run.path / "results.json", results)
    DemoReport(run, results).write()
    return results
