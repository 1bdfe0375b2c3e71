"""The cells of a noise study: one for each of its models on each of its machines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qvlm_qiskit.noise_models import kinds_of
from qvlm_qiskit.noise_models.description.kinds import ALL, kinds_text, read_kinds
from qvlm_qiskit.studies.noise.grid import BUT_ONE, EACH, NoiseGrid
from qvlm_qiskit.studies.noise.models import StudyModel

CLASSICAL = ("classical", "none")
"""Blocks that send no circuit to any machine."""


@dataclass(frozen=True)
class Machine:
    """Where circuits run, and under what noise.

    Attributes:
        device: A ``noisy:…`` backend.
        shots: Per circuit.
        strength: Factor on the noise.
        mitigation: Name of the technique.
        error_kinds: Which errors act, as `open_backend` takes it.
    """

    device: str
    shots: int
    strength: float
    mitigation: str
    error_kinds: str = ALL


@dataclass(frozen=True)
class Cell:
    """One evaluation: a model on a machine.

    Attributes:
        model: The model.
        machine: The noisy machine; None for exact values without noise or shots.
    """

    model: StudyModel
    machine: Machine | None = None

    def identity(self, grid: NoiseGrid) -> dict[str, Any]:
        """What decides the numbers that this cell will give."""
        machine: dict[str, Any] | None = None
        if self.machine is not None:
            machine = {name: getattr(self.machine, name) for name in ("device", "shots")}
            machine["strength"] = self.machine.strength
            # older studies know no other
            if grid.method != "auto":
                machine["method"] = grid.method
            if self.machine.error_kinds != ALL:
                machine["error_kinds"] = self.machine.error_kinds
        return {
            "options": self.model.options.facts(),
            "trained": [self.model.trained_on, self.model.trained_at],
            "weights": self.model.weights,
            "machine": machine,
            "mitigation": None if self.machine is None else self.machine.mitigation,
            "questions": grid.questions,
            "rows": grid.rows,
        }


def study_cells(grid: NoiseGrid, models: Sequence[StudyModel]) -> list[Cell]:
    """Every model on every machine, then exactly; a model without circuits exactly only."""
    circuits = [model for model in models if model.options.blocks not in CLASSICAL]
    machines = study_machines(grid) if circuits else []
    noisy = [Cell(model, machine) for model in circuits for machine in machines]
    return [*noisy, *(Cell(model) for model in models)]


def study_machines(grid: NoiseGrid) -> list[Machine]:
    """Every device with all shots, techniques, strengths and kinds of error.

    Without noise (strength 0) there are no kinds to tell apart.

    Raises:
        QVLMError: A device that can't be read, where its kinds of error are asked for.
    """
    return [
        Machine(device, shots, strength, mitigation, kinds)
        for device in grid.devices
        for shots, mitigation, strength in itertools.product(
            grid.shots, grid.mitigations, grid.strengths
        )
        for kinds in (choices(grid, device) if strength else [ALL])
    ]


def choices(grid: NoiseGrid, device: str) -> list[str]:
    """The choices of kinds of error on one device, each once."""
    found: list[str] = []
    for asked in grid.error_kinds:
        if asked == EACH:
            found += device_kinds(device, grid.max_age_days)
        elif asked == BUT_ONE:
            there = device_kinds(device, grid.max_age_days)
            found += [kinds_text(set(there) - {one}) for one in there if len(there) > 1]
        else:
            found.append(kinds_text(read_kinds(asked)))
    return list(dict.fromkeys(found))


@lru_cache(maxsize=64)
def device_kinds(device: str, max_age_days: float | None) -> tuple[str, ...]:
    """The kinds of error that a ``noisy:…`` backend has."""
    from qvlm_qiskit.backends.devices.noise_by_name import open_noise

    return kinds_of(open_noise(device.removeprefix("noisy:"), max_age_days=max_age_days))
