"""The Runtime client's resilience level 2."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.mitigation.step import RUNTIME, Step, technique


@technique(on=RUNTIME)
class Resilience2(Step):
    """The Runtime's level 2: TREX, gate twirling and zero-noise extrapolation."""

    name = "resilience-2"
    fractional = False
    rank = 0
    level = 2

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 2 of the Runtime client: TREX, gate twirling and zero-noise extrapolation"

    def runtime_options(self) -> dict[str, Any]:
        """The client's resilience level."""
        return {"resilience_level": 2}
