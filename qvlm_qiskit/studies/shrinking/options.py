"""The options of a study of shrinking: problems and their sizes, circuits, samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import Sizes, check_numbers, fill, sized

PROBLEMS = ("independent-set", "knapsack", "assignment")
MOST = {"nodes": 16, "items": 10, "workers": 4, "layers": 100, "starts": 10**4}
SIZES: Sizes = {
    "nodes": (12, 7),
    "items": (7, 4),
    "workers": (3, 2),
    "left": (4, 3),
    "seeds": (20, 5),
    "steps": (60, 30),
}
LEAST = {"nodes": 3, "items": 2, "workers": 2, "layers": 1, "left": 1, "samples": 1, "seeds": 1,
         "starts": 1, "steps": 1}  # fmt: skip


@dataclass(frozen=True)
class ShrinkingOptions:
    """Which problems are solved, by which circuits.

    Attributes:
        problems: `PROBLEMS`.
        nodes: Of the graphs of independent sets; as many qubits.
        items: Of the knapsacks; with their slack bits about four qubits more.
        workers: Of the assignments; their square is the number of qubits.
        layers: p of QAOA.
        left: So many merged variables are solved by trying all; fewer than any problem has.
        samples: Assignments that are read from a circuit, or drawn at random.
        seeds: Problems of each kind.
        starts: Random angles that training begins from.
        steps: Of Adam.
        quick: Smaller sizes for what is not given.
    """

    problems: Annotated[
        tuple[str, ...], Option(f"Of {', '.join(PROBLEMS)}; separated by ;.")
    ] = PROBLEMS  # fmt: skip
    nodes: Annotated[int | None, Option(sized("Of a graph.", SIZES["nodes"]))] = None
    items: Annotated[int | None, Option(sized("Of a knapsack.", SIZES["items"]))] = None
    workers: Annotated[int | None, Option(sized("To be assigned.", SIZES["workers"]))] = None
    layers: Annotated[int, Option("Layers of QAOA.")] = 1
    left: Annotated[
        int | None, Option(sized("Variables that all values are tried of.", SIZES["left"]))
    ] = None
    samples: Annotated[int, Option("Assignments read from a circuit.")] = 50
    seeds: Annotated[int | None, Option(sized("Problems of each kind.", SIZES["seeds"]))] = None
    starts: Annotated[int, Option("Random angles to begin from.")] = 8
    steps: Annotated[int | None, Option(sized("Training steps.", SIZES["steps"]))] = None
    quick: Annotated[bool, Option("A study of a minute or two.")] = False

    def __post_init__(self) -> None:
        """Fill in sizes, and refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or has a value twice.
            UnknownNameError: No such problem.
        """
        check_types(self)
        fill(self, SIZES)
        check_numbers(self, LEAST, MOST)
        check_distinct("problems", self.problems)
        for one in self.problems:
            if one not in PROBLEMS:
                raise UnknownNameError("problem", one, PROBLEMS)
