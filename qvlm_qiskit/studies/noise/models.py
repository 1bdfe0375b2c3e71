"""The models of a noise study: run folders that are there, and those to be trained."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.recipes import HYBRID
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.measure import check_alike, weights_digest
from qvlm_qiskit.studies.noise.grid import EXACT, NoiseGrid
from qvlm_qiskit.training import TrainingOptions


@dataclass(frozen=True)
class StudyModel:
    """A model of the study: a run folder that is there, or is to be trained.

    Attributes:
        options: What it is or will be trained with.
        trained_on: The backend that its circuits ran on while it was trained.
        trained_at: The noise strength there; 0 for exact training.
        path: Its run folder.
        weights: Digest of its weights if the user named it; None if the study trains it.
        one_of_several: Whether the study has other devices, so that its kind has to name its own.
    """

    options: TrainingOptions
    trained_on: str
    trained_at: float
    path: Path
    weights: str | None = None
    one_of_several: bool = False

    @property
    def given(self) -> bool:
        """Whether the user named it."""
        return self.weights is not None

    @property
    def kind(self) -> str:
        """How tables and plots name models that differ by seed only."""
        if self.options.blocks != "quantum":
            return f"{self.options.blocks} blocks"
        if not self.trained_at:
            return "trained exactly"
        where = f" on {self.trained_on.removeprefix('noisy:')}" if self.one_of_several else ""
        return f"trained at × {self.trained_at:g}{where}"


def study_models(grid: NoiseGrid, runs: Sequence[Run], folder: Path) -> list[StudyModel]:
    """The runs that were given, and those to be trained beside them.

    Args:
        grid: What to train.
        runs: Trained runs.
        folder: Where new run folders go.

    Raises:
        InputError: No runs, a run twice, runs that differ in more than seed, blocks and noise, or
            that were trained under another noise or by a newer release; or twins of a model that
            has none.
    """
    if not runs:
        raise InputError("a noise study needs at least one run folder")
    given = [_given(run, grid) for run in runs]
    check_alike(
        [(one.path, dataclasses.asdict(one.options)) for one in given],
        free=("seed", "blocks"),
        besides=("noise",),
    )
    there = {_identity(model) for model in given}
    if len(there) != len(given):
        raise InputError("two of the runs were trained with the same options")
    if grid.twins and given[0].options.model != HYBRID:
        raise InputError(
            f"twins are {HYBRID} with classical blocks, and {given[0].options.model} has none"
        )
    wanted: list[StudyModel] = []
    for number in range(grid.seeds):
        options = dataclasses.replace(
            given[0].options, blocks="quantum", seed=given[0].options.seed + number
        )
        wanted.append(_to_train(options, EXACT, 0.0, folder))
        if grid.twins:
            twin = dataclasses.replace(options, blocks="classical")
            wanted.append(_to_train(twin, EXACT, 0.0, folder))
        wanted += [
            _to_train(options, device, at, folder)
            for device in grid.devices
            for at in grid.trained_at
        ]
    found = [*given, *(model for model in wanted if _identity(model) not in there)]
    several = len(grid.devices) > 1
    return [dataclasses.replace(model, one_of_several=several) for model in found]


def _given(run: Run, grid: NoiseGrid) -> StudyModel:
    known = {field.name for field in dataclasses.fields(TrainingOptions)}
    options = dict(run.info["options"])
    if set(options) - known:
        names = ", ".join(sorted(set(options) - known))
        raise InputError(f"{run.path} was trained with options that this version lacks: {names}")
    about = run.info.get("backend", {"name": EXACT})
    name = str(about["name"])
    strength = 0.0 if name == EXACT else float(about["device"]["noise_scale"])
    if name not in (EXACT, *grid.devices):
        raise InputError(
            f"{run.path} was trained on {name}; this study is about {', '.join(grid.devices)}"
        )
    if kinds := about.get("device", {}).get("error_kinds"):
        raise InputError(f"{run.path} was trained under {kinds} errors only, not under all")
    return StudyModel(TrainingOptions(**options), name, strength, run.path, weights_digest(run))


def _to_train(options: TrainingOptions, backend: str, strength: float, folder: Path) -> StudyModel:
    if not strength:
        path = folder / f"{options.blocks}-seed-{options.seed}"
        return StudyModel(options, backend, strength, path)
    path = folder / f"{options.blocks}-trained-at-{strength:g}-seed-{options.seed}"
    if not _is_trained_on(path, backend):  # a folder of a release whose studies had one device
        name = re.sub(r"[^\w.-]+", "-", backend.removeprefix("noisy:")).strip("-")[:40]
        digest = hashlib.sha256(backend.encode()).hexdigest()[:8]
        path = path.with_name(f"{path.name}-on-{name}-{digest}")
    return StudyModel(options, backend, strength, path)


def _is_trained_on(path: Path, backend: str) -> bool:
    if not (path / "run.json").is_file():
        return False
    return bool(Run.open(path).info.get("backend", {}).get("name") == backend)


def _identity(model: StudyModel) -> tuple[Any, ...]:
    return model.options, model.trained_on, model.trained_at
