"""A study whose report is sections of a sentence, a plot and a table each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from qvlm_qiskit.studies.grid_study import Cell, Options, Printed, Study


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Attributes:
        table: Its title is the section's heading; the terminal shows it too.
        note: What the numbers are, for the page.
        plot: SVG text, for the page.
    """

    table: Printed
    note: str = ""
    plot: str = ""


class SectionedStudy(Study[Options, Cell]):
    """A study whose page and terminal tables come from one list of sections.

    Attributes:
        intro: The first sentences of the page.
    """

    template = "sections.html.j2"
    intro: ClassVar[str]

    @abstractmethod
    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """What the page shows, from top to bottom."""

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """The introduction, the options and the sections."""
        grid = {name: _text(value) for name, value in results["grid"].items()}
        found = self.sections(results)
        return {"intro": self.intro, "grid": grid, "sections": found, "rows": len(results["rows"])}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """The sections' tables."""
        return [section.table for section in self.sections(results)]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
