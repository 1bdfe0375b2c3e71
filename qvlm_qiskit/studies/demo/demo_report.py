"""The report of a demo's run folder, written again when a study of the run has been finished.

RUN/
  results.json       what the demo found
  noise_study.json   ``results.json`` of the last noise study of this run
  report.html        both
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError

from qvlm_qiskit.basics.files import write_json, write_text
from qvlm_qiskit.errors import RunFolderError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.reports.report import render_report

FORMAT = "qvlm-results"
VERSION = 1


@dataclass(frozen=True)
class DemoReport:
    """The report of a run folder that ``qvlm demo`` made.

    Attributes:
        run: The run.
        results: What ``results.json`` holds.
        study: What ``noise_study.json`` holds; None where no study was finished.
    """

    run: Run
    results: Mapping[str, Any]
    study: Mapping[str, Any] | None = None

    @classmethod
    def find(cls, run: Run) -> DemoReport | None:
        """The report of a run folder; None for a run of ``qvlm train``, which has none.

        Raises:
            RunFolderError: The folder can't be written to, or holds results that are damaged or
                of another version.
        """
        path = run.path
        if not (path / "results.json").exists():
            return None
        if not os.access(path, os.W_OK):
            raise RunFolderError(f"can't write to {path}")
        results = _read(path / "results.json")
        if results.get("format") != FORMAT or results.get("version") != VERSION:
            raise RunFolderError(
                f"{path / 'results.json'} is not the results of a demo of version {VERSION}"
            )
        report = cls(run, results)
        report.render()
        return report

    def render(self) -> str:
        """The page.

        Raises:
            RunFolderError: A number is missing.
        """
        try:
            options = self.results["options"]
            samples = self.run.samples("test", options["test_samples"])
            return render_report(self.results, self.run.history(), samples, self.study)
        except (KeyError, IndexError, TypeError, UndefinedError) as error:
            raise RunFolderError(
                f"{self.run.path / 'results.json'} is damaged or of an older release ({error})"
            ) from error

    def with_study(self, study: Mapping[str, Any]) -> DemoReport:
        """The same report with a section about a noise study of this run."""
        return replace(self, study=study)

    def write(self) -> Path:
        """Write page and study into the run folder; returns the page's path."""
        if self.study is not None:
            write_json(self.run.path / "noise_study.json", self.study)
        page = self.run.path / "report.html"
        write_text(page, self.render())
        return page


def find_reports(runs: Sequence[Path]) -> tuple[list[DemoReport], list[str]]:
    """The reports of those runs that have one, and why others can't be written again.

    Raises:
        RunFolderError: One of them is no run folder.
    """
    found, notes = [], []
    for run in map(Run.open, runs):
        try:
            report = DemoReport.find(run)
        except RunFolderError as error:
            notes.append(f"{run.path}'s report gets no section: {error}")
            continue
        if report is not None:
            found.append(report)
    return found, notes


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} can't be read: {error}") from error
    return found if isinstance(found, dict) else {}
