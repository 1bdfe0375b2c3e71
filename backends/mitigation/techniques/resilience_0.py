"""The Runtime client's resilience level 0."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.mitigation.step import RUNTIME, Step, technique


@technique(on=RUNTIME)
class Resilience0(Step):
    """The Runtime's level 0: nothing is mitigated."""

    name = "resilience-0"
    rank = 0
    level = 0

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 0 of the Runtime client, nothing is mitigated"

    def runtime_options(self) -> dict[str, Any]:
        """The client's resilience level."""
        return {"resilience_level": 0}
