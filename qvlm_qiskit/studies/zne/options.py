"""The options of a study of extrapolation: circuits, error probabilities, networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import Sizes, check_numbers, fill, sized

MOST = {"qubits": 8, "layers": 200, "strengths": 1, "networks": 1000, "hidden": 4096}
SIZES: Sizes = {
    "qubits": ((2, 4, 6), (2, 4)),
    "seeds": (30, 6),
    "networks": (10, 4),
    "steps": (1000, 300),
}
LEAST = {"qubits": 1, "layers": 1, "strengths": 1e-6, "shots": 0, "seeds": 1, "networks": 2,
         "hidden": 1, "steps": 1}  # fmt: skip


@dataclass(frozen=True)
class ZneOptions:
    """Which circuits are measured under which noise, and what extrapolates.

    Attributes:
        qubits: Widths of the circuits.
        layers: Layers of RY, RZ and a chain of CX.
        strengths: Depolarising probabilities of every gate but rz.
        shots: Per circuit and strength; 0 has exact values.
        seeds: Circuits of each width and depth, each with random angles.
        networks: Networks with initial values of their own.
        hidden: Width of their one layer.
        steps: Of Adam.
        folded: Whether the learned extrapolation of ``--mitigation learned-zne``, which folds gates
            and trains on near-Clifford circuits, stands beside.
        quick: Smaller sizes for what is not given.
    """

    qubits: Annotated[tuple[int, ...], Option(sized("Widths.", SIZES["qubits"]))] = ()
    layers: Annotated[tuple[int, ...], Option("Layers of RY, RZ and CX.")] = (2, 4)
    strengths: Annotated[tuple[float, ...], Option("Error probabilities of a gate.")] = (
        0.01, 0.02, 0.03, 0.04, 0.05,
    )  # fmt: skip
    shots: Annotated[int, Option("Per circuit and strength; 0 = exact.")] = 4000
    seeds: Annotated[int | None, Option(sized("Circuits.", SIZES["seeds"]))] = None
    networks: Annotated[int | None, Option(sized("Networks.", SIZES["networks"]))] = None
    hidden: Annotated[int, Option("Width of a network's layer.")] = 16
    steps: Annotated[int | None, Option(sized("Training steps.", SIZES["steps"]))] = None
    folded: Annotated[bool, Option("Also the mitigation learned-zne (needs mitiq).")] = False
    quick: Annotated[bool, Option("A study of a minute or two.")] = False

    def __post_init__(self) -> None:
        """Fill in sizes, and refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or has a value twice.
        """
        check_types(self)
        fill(self, SIZES)
        check_numbers(self, LEAST, MOST)
        if len(self.strengths) < 3:
            raise InputError(
                f"strengths must be three probabilities or more, got {list(self.strengths)}"
            )
        if self.folded and not self.shots:
            raise InputError("folded extrapolation takes shots: --shots 4000")
