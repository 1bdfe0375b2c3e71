"""``results.json`` and the training history → one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from qvlm_qiskit.data import Sample
from qvlm_qiskit.studies.plots import accuracy_plot, block_name, sweep_plot, training_plot


def render_report(
    results: Mapping[str, Any], history: Mapping[str, Sequence[float]], samples: Sequence[Sample]
) -> str:
    """Render the report of a demo.

    Args:
        results: What ``results.json`` holds.
        history: Training history as columns.
        samples: The test set, for the example images.

    Returns:
        HTML without references to other files.
    """
    environment = Environment(
        loader=PackageLoader("qvlm_qiskit.studies", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=lambda value: f"{value:.1%}",
        signed=lambda value: f"{100 * value:+.1f}",
        number=lambda value: f"{value:,}",
        block=block_name,
    )
    sweep = results["noise_sweep"]
    return environment.get_template("report.html.j2").render(
        r=results,
        bars=accuracy_rows(results),
        accuracy_svg=accuracy_plot(accuracy_rows(results)),
        training_svg=training_plot(history),
        sweep_svg=sweep_plot(sweep, _exact_on_noisy(results)),
        examples=[
            {**example, "image": _data_uri(samples[example["index"]].image)}
            for example in results["examples"]
        ],
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
