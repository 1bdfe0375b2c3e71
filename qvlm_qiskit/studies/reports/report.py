"""``results.json`` and the training history → one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation.confusion import Answered, confusions
from qvlm_qiskit.studies.noise.noise_report import noise_section
from qvlm_qiskit.studies.reports.pictures import data_uri
from qvlm_qiskit.studies.reports.plots import accuracy_plot, sweep_plot, training_plot
from qvlm_qiskit.studies.reports.templates import template

PICTURES = 12
"""Examples on a page."""


def render_report(
    results: Mapping[str, Any],
    history: Mapping[str, Sequence[float]],
    samples: Sequence[Sample],
    study: Mapping[str, Any] | None = None,
) -> str:
    """Render the report of a demo.

    Args:
        results: What ``results.json`` holds.
        history: Training history as columns.
        samples: The test set, for the example images.
        study: What ``results.json`` of a noise study of this run holds; it becomes a section.

    Returns:
        HTML without references to other files.
    """
    sweep = results["noise_sweep"]
    return template("report.html.j2").render(
        r=results,
        bars=accuracy_rows(results),
        accuracy_svg=accuracy_plot(accuracy_rows(results)),
        training_svg=training_plot(history),
        sweep_svg=sweep_plot(sweep, _exact_on_noisy(results)),
        pictures=[
            {**entry, "image": data_uri(samples[entry["index"]].image)}
            for entry in _examples(results)
        ],
        confusions=confusions(_exact_answers(results)),
        study=None if study is None else noise_section(study),
        heading="h3",
    )


def accuracy_rows(results: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    """Rows of the accuracy table: (label, record, colour name)."""
    device = results["options"]["device"]
    runtime = results["runtime"]["backend"]["mitigation"]
    return [
        ("majority answer", results["baselines"]["majority"], "baseline"),
        ("shuffled images", results["baselines"]["shuffled"], "baseline"),
        ("exact statevector", results["exact"], "exact"),
        (f"{device} noise, raw", results["noisy"]["raw"], "sampled"),
        (
            f"{device} noise, {results['options']['mitigation']}",
            results["noisy"]["mitigated"],
            "mitigated",
        ),
        (f"Runtime client, {runtime}", results["runtime"], "runtime"),
    ]


def _exact_on_noisy(results: Mapping[str, Any]) -> float:
    """Exact accuracy on the questions that are also asked under noise."""
    raw = results["noisy"]["raw"]
    return float(raw["accuracy"] - results["differences"]["raw - exact"]["difference"])


def _examples(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The questions that are shown with their pictures; older results have examples alone."""
    if "questions" in results:
        names = set(results["examples"][0]["answers"])
        everywhere = [q for q in results["questions"] if names <= set(q["answers"])]
        return everywhere[:PICTURES]
    return [
        {**one, "wrong": [n for n, given in one["answers"].items() if given != one["expected"]]}
        for one in results["examples"]
    ]


def _exact_answers(results: Mapping[str, Any]) -> list[Answered]:
    """What the exact model answered to every question, if the results say it."""
    return [
        Answered(q["kind"], q["expected"], q["answers"]["exact"], "exact" not in q["wrong"])
        for q in results.get("questions", ())
    ]
