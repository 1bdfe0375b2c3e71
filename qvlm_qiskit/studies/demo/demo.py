"""``qvlm demo``: train, evaluate exactly and on a noisy device, submit, sweep, report."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import resource
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from qvlm_qiskit.backends.backend import installed_versions
from qvlm_qiskit.basics.files import check_new_folder, new_folder, write_json
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.runs import DEMO_CONTENTS
from qvlm_qiskit.studies.demo.demo_report import FORMAT, VERSION, DemoReport
from qvlm_qiskit.studies.demo.options import DemoOptions
from qvlm_qiskit.studies.demo.rehearsal import rehearse
from qvlm_qiskit.studies.demo.stages import (
    TrainedDemo,
    exact_stage,
    noisy_stage,
    runtime_stage,
    sweep_stage,
)
from qvlm_qiskit.training import train

EXAMPLES = 6


def run_demo(
    options: DemoOptions, out: Path, *, overwrite: bool = False, track: Track = silent
) -> dict[str, Any]:
    """Run every stage, and leave a run folder with ``report.html`` and ``results.json`` in it.

    Args:
        options: Sizes.
        out: The run folder; refused if it exists, unless ``overwrite``.
        overwrite: Replace it, if it is a run folder with nothing else in it.
        track: Opens progress bars.

    Returns:
        What ``results.json`` holds.

    Raises:
        QVLMError: Any refusal of the stages. Every backend answers for one circuit before the
            training starts, so that a wrong name, option or size does not cost one.
    """
    started = time.perf_counter()
    check_new_folder(out, overwrite, DEMO_CONTENTS)
    options = rehearse(options)
    with new_folder(out, overwrite, holds=DEMO_CONTENTS) as folder:
        try:
            return _run_in(folder, options, started, track)
        finally:
            # a demo is whole or it is not there: nothing of its training is left to resume
            shutil.rmtree(folder.with_name(folder.name + ".partial"), ignore_errors=True)


def _run_in(folder: Path, options: DemoOptions, started: float, track: Track) -> dict[str, Any]:
    run = train(options.training, folder, overwrite=True, track=track)
    demo = TrainedDemo.of(options, run, track)
    exact, results = exact_stage(demo)
    results |= noisy_stage(demo, exact)
    results["runtime"] = runtime_stage(demo)
    results["noise_sweep"] = sweep_stage(demo)
    answers = results.pop("answers")
    results["examples"] = _examples(demo, answers)
    results["questions"] = demo.exam.answered(answers)
    return _finish(demo, results, time.perf_counter() - started)


def _examples(demo: TrainedDemo, answers: dict[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The first questions with the answers of every machine."""
    samples = demo.exam.samples
    return [
        {
            "index": index,
            "question": samples[index].question,
            "expected": samples[index].answer,
            "answers": {name: given[index] for name, given in answers.items()},
        }
        for index in range(min(EXAMPLES, *(len(given) for given in answers.values())))
    ]


def _finish(demo: TrainedDemo, results: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Write the example images, ``results.json`` and ``report.html``."""
    options, run = demo.options, demo.run
    images = run.path / "samples"
    images.mkdir(exist_ok=True)
    for example in results["examples"]:
        sample = demo.exam.samples[example["index"]]
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
        "scales_left_out": options.scales_left_out,
        "training": run.info,
        **results,
    }
    write_json(run.path / "results.json", results)
    DemoReport(run, results).write()
    return results
