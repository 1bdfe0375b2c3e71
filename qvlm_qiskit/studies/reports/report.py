"""``results.json`` and the training history → one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from qvlm_qiskit.data import Sample
from qvlm_qiskit.studies.noise.noise_report import noise_section
from qvlm_qiskit.studies.reports.plots import accuracy_plot, sweep_plot, training_plot
from qvlm_qiskit.studies.reports.templates import template


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
        examples=[
            {**example, "image": _data_uri(samples[example["index"]].image)}
            for example in results["examples"]
        ],
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


def _data_uri(image: Image.Image, size: int = 112) -> str:
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.NEAREST).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
