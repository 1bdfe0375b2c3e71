"""The options of a study of starts: costs, widths, starts, layers, budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import SMALLEST, Sizes, check_numbers, fill, sized

COSTS = ("ising", "glass")
STARTS = ("random", "identity", "tensor-network")
MOST = {"qubits": 16, "bonds": 256, "staircases": 100, "added": 100, "draws": 10**4}
SIZES: Sizes = {
    "qubits": ((4, 6, 8, 10, 12, 14, 16), (4, 6, 8)),
    "bonds": ((2, 8), (2,)),
    "seeds": (5, 2),
    "draws": (8, 8),
    "steps": (200, 40),
}
LEAST = {"qubits": 3, "bonds": 2, "staircases": 1, "added": 0, "spread": 0, "fit": 0, "seeds": 1,
         "draws": 1, "steps": 1, "learning_rate": SMALLEST}  # fmt: skip


@dataclass(frozen=True)
class StartsOptions:
    """Which circuits begin where, and how long they are trained.

    Attributes:
        costs: Hamiltonians whose energy is minimised: `COSTS`.
        starts: `STARTS`.
        qubits: Widths of the circuits.
        bonds: Bond dimensions of the trained matrix-product states.
        staircases: Layers of gates that a tensor network becomes; all starts have as many.
        added: Layers before them, near the identity unless the start is random.
        spread: Standard deviation of the generators' coefficients of gates near the identity.
        fit: Steps of L-BFGS on the fidelity of the staircases with the tensor network.
        seeds: Each has a Hamiltonian and angles of its own.
        draws: Angles of one start whose gradients are measured.
        steps: Of Adam, from the first draw.
        learning_rate: Of Adam.
        quick: Smaller sizes for what is not given.
    """

    costs: Annotated[tuple[str, ...], Option(f"Of {', '.join(COSTS)}; separated by ;.")] = COSTS
    starts: Annotated[tuple[str, ...], Option(f"Of {', '.join(STARTS)}; separated by ;.")] = STARTS
    qubits: Annotated[tuple[int, ...], Option(sized("Widths.", SIZES["qubits"]))] = ()
    bonds: Annotated[tuple[int, ...], Option(sized("Bond dimensions.", SIZES["bonds"]))] = ()
    staircases: Annotated[int, Option("Layers that a tensor network becomes.")] = 2
    added: Annotated[int, Option("Layers put before them.")] = 1
    spread: Annotated[float, Option("Of gates near the identity.")] = 0.02
    fit: Annotated[int, Option("Steps that fit the layers to the tensor network.")] = 10
    seeds: Annotated[int | None, Option(sized("Hamiltonians.", SIZES["seeds"]))] = None
    draws: Annotated[int | None, Option(sized("Gradients per start.", SIZES["draws"]))] = None
    steps: Annotated[int | None, Option(sized("Training steps.", SIZES["steps"]))] = None
    learning_rate: Annotated[float, Option("Of Adam.")] = 0.02
    quick: Annotated[bool, Option("A study of a minute or two.")] = False

    def __post_init__(self) -> None:
        """Fill in sizes, and refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or has a value twice.
            UnknownNameError: No such cost or start.
        """
        check_types(self)
        fill(self, SIZES)
        check_numbers(self, LEAST, MOST)
        for name, known in (("cost", COSTS), ("start", STARTS)):
            given = getattr(self, f"{name}s")
            check_distinct(f"{name}s", given)
            for one in given:
                if one not in known:
                    raise UnknownNameError(name, one, known)
