"""The options of a drift study: trained runs, calibrations, mitigations, questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers


@dataclass(frozen=True)
class DriftOptions:
    """Which runs meet which calibrations.

    Attributes:
        runs: Run folders that differ in their seed only.
        calibrations: Fake devices, files of ``qvlm noise save``, or folders of such files; empty =
            every fake device that is wide enough.
        mitigations: Names of mitigation techniques.
        questions: Held-out questions per evaluation.
        rows: Circuits per block whose expectation values are compared with exact ones.
        shots: Per circuit.
    """

    runs: Annotated[
        tuple[Path, ...], Option("Run folders of qvlm train or demo.", argument=True)
    ] = field(kw_only=True)
    calibrations: Annotated[
        tuple[str, ...],
        Option(
            "Fake devices, files of qvlm noise save or folders of such files, separated by "
            "semicolons; by default every fake device that is wide enough."
        ),
    ] = ()
    mitigations: Annotated[tuple[str, ...], Option("Techniques, separated by semicolons.")] = (
        "none",
    )
    questions: Annotated[int, Option("Held-out questions per evaluation.", "--limit")] = 200
    rows: Annotated[int, Option("Circuits per block to compare with exact ones.")] = 50
    shots: Annotated[int, Option("Shots per circuit.")] = 1000

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            InputError: No run, an empty or repeated value, a number out of range.
        """
        check_types(self)
        for name in ("runs", "calibrations", "mitigations"):
            values = getattr(self, name)
            if len(set(values)) != len(values) or (name != "calibrations" and not values):
                raise InputError(
                    f"{name} must be distinct and not empty, got {[str(one) for one in values]}"
                )
        check_numbers(self, {"questions": 2, "rows": 1, "shots": 1})
