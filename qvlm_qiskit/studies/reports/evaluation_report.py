"""What ``qvlm evaluate`` found → one self-contained HTML page: pictures, confusions, curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qvlm_qiskit.evaluation import Evaluation, Exam
from qvlm_qiskit.evaluation.confusion import LARGEST, Answered, confusions
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.reports.chip import Chip
from qvlm_qiskit.studies.reports.chip_plot import chip_plot
from qvlm_qiskit.studies.reports.pictures import data_uri
from qvlm_qiskit.studies.reports.plots import block_name, experts_plot, training_plot
from qvlm_qiskit.studies.reports.templates import made, template

PICTURES = 48
"""Questions that are shown with their pictures, the wrong answers first."""


def evaluation_page(
    run: Run,
    exam: Exam,
    found: Evaluation,
    record: Mapping[str, Any],
    chip: Chip | None = None,
    circuits: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page of an evaluation.

    Args:
        run: The trained run.
        exam: What was asked.
        found: The answers.
        record: The evaluation as plain data, with its metrics.
        chip: The device, of which a map is drawn for every circuit, with its tiles; None: no map.
        circuits: What the blocks' circuits became there, as `studies.measure.circuits_on` has them:
            where they run without tiles, the map shows their qubits.

    Returns:
        HTML without references to other files.
    """
    history = run.history()
    answered = exam.answered({"answer": found.answers}, limit=PICTURES)
    return template("evaluation.html.j2").render(
        about={**_about(run), "validated": "held_out_loss" in history},
        record=record,
        metrics=list(_metrics(record)),
        confusions=confusions(_answered(exam, found)),
        largest=LARGEST,
        pictures=[{**q, "image": data_uri(exam.samples[q["index"]].image)} for q in answered],
        maps=[] if chip is None else list(_maps(chip, exam, record["backend"], circuits)),
        training_svg=training_plot(history),
        experts_svg=experts_plot(history),
        made=made(),
    )


def _about(run: Run) -> dict[str, Any]:
    info, options = run.info, run.info["options"]
    return {
        "run": run.path.name,
        "data": info.get("data", {"name": "digits"})["name"],
        "parameters": info.get("parameters", 0),
        "quantum_parameters": info.get("quantum_parameters", 0),
        "seconds": info.get("seconds", 0),
        **{name: options.get(name, 0) for name in ("steps", "batch_size", "seed")},
    }


def _maps(
    chip: Chip, exam: Exam, backend: Mapping[str, Any], circuits: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A map of the device for every circuit, with its tiles or the one place where it runs."""
    if "tiles" in backend:
        names = circuit_names(exam.model.quantum_layers)
        for one in backend["tiles"]["circuits"]:
            count, name = len(one["tiles"]), names.get(one["circuit"], one["circuit"])
            title = f"{name}: {count} tile{'s' * (count > 1)} on {backend['name']}"
            yield chip_plot(chip, one["tiles"], title)
        return
    for one in circuits:
        place = {"qubits": one["physical_qubits"]}
        yield chip_plot(chip, [place], f"{block_name(one['block'])} on {backend['name']}")


def circuit_names(layers: Mapping[str, Any]) -> dict[str, str]:
    """The blocks of circuits, by the circuits' own names.

    Args:
        layers: Quantum layers by their module's path.
    """
    return {
        layer.neural_network.circuit.name: block_name(path)
        for path, layer in layers.items()
        if hasattr(layer, "neural_network")
    }


def _metrics(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Rows of the table of all metrics but exact match."""
    groups = {"all": record["metrics"], **record["metrics_by_kind"]}
    for kind, entries in groups.items():
        for entry in entries:
            if entry["metric"] == "exact-match":
                continue
            form = "{:.1%}" if entry["unit"] == "share" else "{:.3f}"
            numbers = {name: form.format(entry[name]) for name in ("value", "low", "high")}
            yield {"label": entry["label"], "kind": kind, **numbers}


def _answered(exam: Exam, found: Evaluation) -> Iterator[Answered]:
    for sample, given, right in zip(exam.samples, found.answers, found.correct, strict=True):
        yield Answered(sample.kind, sample.answer, given, right)
