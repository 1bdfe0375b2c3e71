"""Training: transformers' ``Trainer`` on exact circuits, from options to a run folder.

Circuits run on noise-free statevectors, this package's own or Aer's, or with the noise of a backend
of exact values.
"""

from __future__ import annotations

import dataclasses
import platform
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from qvlm_qiskit import __version__
from qvlm_qiskit.basics.files import new_folder, only_one, write_json
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.batch import encode_training
from qvlm_qiskit.data.registry import open_data
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.runs import CONTENTS, Run, no_transformers_bars, write_run
from qvlm_qiskit.training.machine import TrainingBackend, check_trainable, gradient_facts
from qvlm_qiskit.training.models import build_model, check_memory
from qvlm_qiskit.training.place import (
    check_folders,
    check_place,
    check_resumed,
    clear,
    last_checkpoint,
    partial_folder,
)
from qvlm_qiskit.training.trainer import Log, make_trainer


def train(
    options: TrainingOptions,
    out: Path,
    *,
    backend: TrainingBackend | None = None,
    gradient: SampledGradient | None = None,
    overwrite: bool = False,
    resume: bool = False,
    track: Track = silent,
) -> Run:
    """Train a model on a data set and leave a run folder.

    While it trains, everything lies in ``<out>.partial``; an interrupted training goes on from its
    last checkpoint with ``resume``.

    Args:
        options: What to train.
        out: The run folder; appears when the training is complete.
        backend: Where circuits run and are differentiated, such as
            ``open_backend("aer")`` or ``open_backend("noisy:fake_torino", precision=0)``; by
            default this package's noise-free statevectors.
        gradient: How a backend's values are differentiated if it samples them.
        overwrite: Replace a run folder that is there, and start over where an interrupted training
            could go on. A folder that holds anything else is never replaced.
        resume: Go on with an interrupted training of the same options.
        track: Opens progress bars.

    Raises:
        InputError: ``out`` is taken, another process trains there, an interrupted training lies
            there, there is nothing to resume, or other options.
        BackendError: The backend's values can't be differentiated.
        CapacityError: A circuit is too large for that, or the training set for the memory.
    """
    check_place(out, overwrite=overwrite, resume=resume)
    partial = partial_folder(out)
    check_memory(options)
    model, processor = build_model(options)
    if backend is not None:
        check_trainable(model, backend, gradient)
    with only_one(partial, out):
        check_folders(out, overwrite, resume)
        asked = asked_of(options, backend, gradient)
        if resume:
            check_resumed(partial, asked)
        else:
            clear(partial)
        running = nullcontext() if backend is None else model.run_on(backend, gradient)
        with new_folder(out, overwrite, partial, CONTENTS) as folder, running:
            checkpoints = folder / "checkpoints"
            write_json(folder / "options.json", asked)
            started = time.perf_counter()
            # encoding the samples takes seconds: the bar is up before it
            with track("training", options.steps) as report:
                samples = open_data(options.data, "train", options.train_samples, options.seed)
                rows = encode_training(processor, samples)
                log = Log(report, gradient)
                trainer = make_trainer(model, rows, options, checkpoints, log)
                with no_transformers_bars():
                    trainer.train(
                        resume_from_checkpoint=last_checkpoint(checkpoints) if resume else None
                    )
            info = {
                "package": {"qvlm-qiskit": __version__, "torch": torch.__version__},
                "python": platform.python_version(),
                "options": dataclasses.asdict(options),
                "backend": {"name": "statevector"} if backend is None else backend.describe(),
                **gradient_facts(gradient),
                "data": {"name": options.data, "train_samples": options.train_samples},
                "parameters": sum(p.numel() for p in model.parameters()),
                "quantum_parameters": sum(q.weight.numel() for q in model.quantum_layers.values()),
                "seconds": round(time.perf_counter() - started, 2),
            }
            write_run(folder, model.cpu().eval(), processor, info, log.columns(trainer))
            shutil.rmtree(checkpoints, ignore_errors=True)
            (folder / "options.json").unlink()
    return Run.open(out)


def asked_of(
    options: TrainingOptions, backend: TrainingBackend | None, gradient: SampledGradient | None
) -> dict[str, Any]:
    """What an interrupted training must have in common with the one that goes on."""
    where = "statevector" if backend is None else backend.device_description()
    return {**dataclasses.asdict(options), "backend": where, **gradient_facts(gradient)}
