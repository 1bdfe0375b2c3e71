"""Results of ``gpu.py`` as text of at most 100 columns, in the layout of ``tables.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tables import columns, number, spread_text

Results = dict[str, Any]


def render(results: Results) -> str:
    """All tables, then what was wrong."""
    lines = [*_header(results)]
    rows = results["rows"]
    for row in rows.get("circuits", []):
        lines += _circuit(row)
    if "scaling" in rows:
        lines += _scaling(rows["scaling"])
    if "aer" in rows:
        lines += _aer(rows["aer"])
    return "\n".join([*lines, *_faults(results["faults"])]) + "\n"


def _header(results: Results) -> Iterator[str]:
    device, machine, versions = results["device"], results["machine"], results["versions"]
    yield f"{results['date']}, {device['name']}"
    if device["driver"] or device["cuda"]:
        memory = f"{device['memory_gib']:.0f} GiB"
        yield f"driver {device['driver'] or '?'}, CUDA {device['cuda']}, {memory}"
    names = ("torch", "qiskit", "qiskit-aer", "qiskit-aer-gpu")
    yield ", ".join(f"{name} {versions[name]}" for name in names if versions[name])
    threads = results["command"]["threads"]
    yield f"beside {machine['cpu']}, {threads} of {machine['cores']} cores"
    yield "Medians [quartiles] in ms, runs in turn; backward: gradients of inputs and weights."
    yield "×: time in units of the first line. dev: largest deviation of outputs and gradients from"
    yield "complex128 on the CPU, relative to the largest entry. MiB: peak of forward + backward."


def _heading(text: str) -> list[str]:
    return ["", text, "-" * len(text)]


def _circuit(row: Results) -> Iterator[str]:
    yield from _heading(row["title"])
    yield columns("implementation", "", "forward", "forward + backward", "×", "dev", "MiB")
    for entry in row["entries"]:
        if "both_ms" not in entry:
            yield f"{entry['label']:<27} not run: {entry['not_run']}"[:100]
            continue
        times = (spread_text(entry["forward_ms"]), spread_text(entry["both_ms"]))
        peak = entry.get("peak_mib")
        memory = "–" if peak is None else number(peak)
        deviation = f"{entry['deviation']:.0e}"
        yield columns(entry["label"], "", *times, number(entry["ratio"]), deviation, memory)
    profile = row["profile"]
    if profile["kernels"] is None:
        yield f"a step: {profile['operations']} operations; copies can't be seen without a device"
        return
    copies = len(profile["copies"]) or "none"
    yield f"a step: {profile['kernels']} kernels, copies between host and device: {copies}"


def _scaling(scaling: Results) -> Iterator[str]:
    for name, over in (("qubits", "B = 8, over n"), ("batch", "n = 6, over B")):
        yield from _heading(f"scaling: RY encoding, 2 layers, forward + backward, {over}")
        yield f"{'':<17} {'device':<22} {'CPU':<22} {'×':>7} {'dev':>5} {'MiB':>7}"
        for point in scaling[name]:
            where = f"n = {point['n']:<3} B = {point['batch']:<6}"
            if "skipped" in point:
                yield f"{where} skipped: {point['skipped']}"
                continue
            peak = "–" if point["peak_mib"] is None else number(point["peak_mib"])
            if "cpu_skipped" in point:
                beside = f"{point['cpu_skipped']:<22} {'':>7} {'':>5}"
            else:
                ratio = number(point["cpu_ms"]["median"] / point["both_ms"]["median"])
                cpu = spread_text(point["cpu_ms"])
                beside = f"{cpu:<22} {ratio:>7} {point['deviation']:>5.0e}"
            yield f"{where} {spread_text(point['both_ms']):<22} {beside} {peak:>7}"


def _aer(aer: Results) -> Iterator[str]:
    yield from _heading("Jacobians through Aer's EstimatorV2 and BatchedEstimatorGradient")
    if "not_run" in aer:
        yield f"not run: {aer['not_run']}"
        return
    for entry in aer["entries"]:
        yield f"{entry['label']:<44} {spread_text(entry['ms']):<24} dev {entry['deviation']:.0e}"


def _faults(faults: list[str]) -> Iterator[str]:
    yield ""
    yield from (f"FAULT {fault}" for fault in faults)
    if not faults:
        yield "no deviation above the limit, no fault in a step"
