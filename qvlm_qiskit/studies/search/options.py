"""The options of a study of circuit search: pool, tasks, representation, searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import Sizes, check_numbers, fill, sized

TASKS = ("fidelity", "maxcut", "vqe")
MOST = {"qubits": 8, "gates": 500, "depth": 500, "pool": 10**5, "training": 10**5, "encoders": 100}
SIZES: Sizes = {
    "pool": (2000, 100),
    "training": (8000, 500),
    "epochs": (16, 4),
    "encoders": (3, 2),
    "budget": (200, 40),
    "seeds": (30, 10),
    "iterations": (50, 20),
}
LEAST = {"qubits": 2, "gates": 1, "depth": 1, "pool": 8, "training": 20, "epochs": 1, "encoders": 1,
         "budget": 8, "seeds": 1, "iterations": 1}  # fmt: skip


@dataclass(frozen=True)
class SearchOptions:
    """Which circuits are searched, for what, and how.

    Attributes:
        tasks: `TASKS`.
        qubits: Of the circuits.
        gates: Of each circuit.
        depth: The most layers that they may take.
        pool: Random circuits, all trained once for each task; searches look among them.
        training: Other random circuits, which the representation learns from.
        epochs: Of the representation's training.
        encoders: Representations of other initial values; searches take turns.
        budget: Circuits that a search may ask for.
        seeds: Searches of each kind.
        iterations: Of a circuit's training, by Adagrad with rate 0.5.
        quick: Smaller sizes for what is not given.
    """

    tasks: Annotated[tuple[str, ...], Option(f"Of {', '.join(TASKS)}; separated by ;.")] = TASKS
    qubits: Annotated[int, Option("Of the circuits.")] = 4
    gates: Annotated[int, Option("Of each circuit.")] = 10
    depth: Annotated[int, Option("Most layers of a circuit.")] = 5
    pool: Annotated[int | None, Option(sized("Random circuits.", SIZES["pool"]))] = None
    training: Annotated[int | None, Option(sized("Circuits to learn from.", SIZES["training"]))] = (
        None
    )
    epochs: Annotated[int | None, Option(sized("Of a representation.", SIZES["epochs"]))] = None
    encoders: Annotated[int | None, Option(sized("Representations.", SIZES["encoders"]))] = None
    budget: Annotated[int | None, Option(sized("Circuits per search.", SIZES["budget"]))] = None
    seeds: Annotated[int | None, Option(sized("Searches.", SIZES["seeds"]))] = None
    iterations: Annotated[
        int | None, Option(sized("Of a circuit's training.", SIZES["iterations"]))
    ] = None
    quick: Annotated[bool, Option("A study of a minute or two.")] = False

    def __post_init__(self) -> None:
        """Fill in sizes, and refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or has a value twice.
            UnknownNameError: No such task.
        """
        check_types(self)
        fill(self, SIZES)
        check_numbers(self, LEAST, MOST)
        check_distinct("tasks", self.tasks)
        for one in self.tasks:
            if one not in TASKS:
                raise UnknownNameError("task", one, TASKS)
        assert self.budget and self.pool
        if self.budget > self.pool:
            raise InputError(f"budget must be at most the pool, {self.pool}, got {self.budget}")
        if self.gates > self.qubits * self.depth:
            raise InputError(
                f"gates must be at most qubits × depth, {self.qubits * self.depth}, got "
                f"{self.gates}"
            )
