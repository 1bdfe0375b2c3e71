"""The work of one process: a task's table, a representation, or one search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.studies.search.circuits import Graphs, Plan, graphs_of, random_plans
from qvlm_qiskit.studies.search.options import SearchOptions
from qvlm_qiskit.studies.search.representation import embeddings, make_encoder, train_encoder
from qvlm_qiskit.studies.search.searches import Floats, bayesian, random_search, reinforce
from qvlm_qiskit.studies.search.tasks import matrix_of, value_of

METHODS = {"policy": reinforce, "Bayes": bayesian}
RANDOM = "random"
SPACES = ("trained", "untrained")
SHARES = (0.25, 0.5, 1.0)
"""Of the budget, after which the best circuit so far is noted."""


@dataclass(frozen=True)
class Cell:
    """One search.

    Attributes:
        task: What is searched for.
        method: "random", "policy" (REINFORCE) or "Bayes".
        space: Whether its embedding is "trained" or "untrained"; empty for a random search.
        seed: Of the search; with the number of encoders it says which of them.
    """

    task: str
    method: str
    space: str
    seed: int


@dataclass(frozen=True)
class Part:
    """What several cells need: the values of all circuits for a task, or an embedding.

    Attributes:
        name: Of the file, such as "values-vqe" or "trained-1".
    """

    name: str

    def path(self, folder: Path) -> Path:
        """Where it is kept."""
        return folder / "parts" / f"{self.name}.json"


def all_cells(options: SearchOptions) -> list[Cell]:
    """Every search of every task."""
    kinds = [(RANDOM, ""), *((method, space) for method in METHODS for space in SPACES)]
    return [
        Cell(task, method, space, seed)
        for task in options.tasks
        for method, space in kinds
        for seed in range(options.seeds or 0)
    ]


def all_parts(options: SearchOptions) -> list[Part]:
    """Tables of all tasks, and all embeddings."""
    tables = [Part(f"values-{task}") for task in options.tasks]
    numbers = range(options.encoders or 0)
    return [*tables, *(Part(f"{space}-{number}") for space in SPACES for number in numbers)]


def make_part(part: Part, options: SearchOptions, folder: Path) -> None:
    """Compute a part and leave it in the study's folder."""
    kind, _, detail = part.name.partition("-")
    part.path(folder).parent.mkdir(parents=True, exist_ok=True)
    if kind == "values":
        matrix = matrix_of(detail, options.qubits, options.gates, options.depth)
        found = [
            value_of(plan, options.qubits, matrix, options.iterations or 0, number)
            for number, plan in enumerate(plans(options))
        ]
        write_json(part.path(folder), {"values": found})
        return
    graphs, reconstructed = _graphs(options), None
    net = make_encoder(graphs.features.shape[-1], int(detail))
    if kind == "trained":
        net, reconstructed = train_encoder(_others(options), options.epochs or 0, int(detail))
    found_points = embeddings(net, graphs).tolist()
    write_json(part.path(folder), {"points": found_points, "reconstructed": reconstructed})


def compute(cell: Cell, options: SearchOptions, folder: Path) -> dict[str, Any]:
    """What a search found after shares of its budget, as plain data."""
    values = np.array(_read(Part(f"values-{cell.task}").path(folder))["values"])
    budget = options.budget or 0
    rng = np.random.default_rng([cell.seed, 5])
    if cell.method == RANDOM:
        asked = random_search(values, budget, rng)
    else:
        part = Part(f"{cell.space}-{cell.seed % (options.encoders or 1)}")
        points: Floats = np.array(_read(part.path(folder))["points"])
        asked = METHODS[cell.method](values, budget, rng, points)
    best = float(values.max())
    kept = {f"{share:.0%}": best - float(values[asked[: round(share * budget)]].max())
            for share in SHARES}  # fmt: skip
    order = np.sort(values)[::-1]
    return {
        "task": cell.task,
        "method": cell.method,
        "space": cell.space,
        "label": f"{cell.method} {cell.space}".strip(),
        "seed": cell.seed,
        "best": best,
        "median": float(np.median(values)),
        "ties": float(np.mean(values > best - 1e-6)),
        "regret": kept,
        "rank": int(np.searchsorted(-order, -float(values[asked].max()))),
    }


def reconstruction(options: SearchOptions, folder: Path) -> list[float]:
    """The share of held-out nodes that each trained representation reconstructs."""
    parts = [Part(f"trained-{number}") for number in range(options.encoders or 0)]
    return [float(_read(part.path(folder))["reconstructed"]) for part in parts]


def plans(options: SearchOptions) -> list[Plan]:
    """The pool."""
    return random_plans(options.qubits, options.gates, options.depth, options.pool or 0, 0)


def _graphs(options: SearchOptions) -> Graphs:
    return graphs_of(plans(options), options.qubits)


def _others(options: SearchOptions) -> Graphs:
    """Circuits that no search asks for, to learn from."""
    sizes = options.qubits, options.gates, options.depth
    return graphs_of(random_plans(*sizes, options.training or 0, 1), options.qubits)


@lru_cache(maxsize=16)
def _read(path: Path) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
