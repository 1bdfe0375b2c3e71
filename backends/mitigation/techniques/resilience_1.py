"""The Runtime client's resilience level 1."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.mitigation.step import RUNTIME, Step, technique


@technique(on=RUNTIME)
class Resilience1(Step):
    """The Runtime's level 1: readout mitigation (TREX)."""

    name = "resilience-1"
    rank = 0
    level = 1

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 1 of the Runtime client, readout errors removed by twirled readout (TREX)"

    def runtime_options(self) -> dict[str, Any]:
        """The client's resilience level."""
        return {"resilience_level": 1}
