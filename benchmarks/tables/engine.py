"""The engine's results as text of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tables import columns, number, spread_text

Results = dict[str, Any]


def render(results: Results) -> str:
    """All tables, then the goals."""
    lines = [*_header(results)]
    rows = results["rows"]
    for table in rows.get("circuits", []):
        lines += _circuit(table)
    for table in rows.get("capabilities", []):
        lines += _failed(table["circuit"], table) if "failed" in table else _circuit(table)
    for name, write in (
        ("blocks", _blocks),
        ("compile", _compile),
        ("gemm", _gemm),
        ("memory", _memory),
        ("scaling", _scaling),
        ("aer", _aer),
    ):
        for run in rows.get(name, []):
            lines += _failed(name, run) if "failed" in run else write(run)
    return "\n".join([*lines, *_goals(results["goals"])]) + "\n"


def _heading(text: str, threads: int) -> list[str]:
    line = f"{text}; {threads} thread{'s' if threads > 1 else ''}"
    return ["", line, "-" * len(line)]


def _failed(name: str, run: Results) -> list[str]:
    return [*_heading(name, run["threads"]), f"not measured: {run['failed']}"[:100]]


def _header(results: Results) -> Iterator[str]:
    machine = results["machine"]
    before, after = machine["load_before"], machine["load_after"]
    yield f"{results['date']}, {machine['cpu']}, {machine['cores']} cores"
    yield f"Load of the machine {before:.1f} before, {after:.1f} after."
    yield "Medians [quartiles] in ms, runs in turn; backward: gradients of inputs and weights."
    yield "×: time in units of ours. dev: largest deviation of outputs and gradients from ours,"
    yield "relative to the largest entry. first: s of the first forward + backward, with compilers."
    if results["rows"].get("capabilities"):
        yield "Where ours is built once more, × is of lower quartiles."


def _circuit(table: Results) -> Iterator[str]:
    yield from _heading(table["title"], table["threads"])
    yield columns("implementation", "version", "forward", "forward + backward", "×", "dev", "first")
    for entry in table["entries"]:
        label, version = entry["label"], (entry["version"] or "–").split("+")[0]
        if "both_ms" not in entry:
            reason = entry.get("reason", "")
            if entry["status"] == "wrong":
                reason = f"deviates by {entry['deviation']:.0e}; its time does not count"
            text = f"{entry['status']}{': ' if reason else ''}{reason}"
            yield f"{label:<27} {version:<7} {text}"[:100]
            continue
        times = (spread_text(entry["forward_ms"]), spread_text(entry["both_ms"]))
        deviation = "–" if entry["peer"] == "ours" else f"{entry['deviation']:.0e}"
        ratio = number(entry["ratio"])
        yield columns(label, version, *times, ratio, deviation, number(entry["first_s"]))
        if "again_s" in entry:
            yield f"    built and called once more in this process: {number(entry['again_s'])} s"
        if entry["factor"] != 1:
            yield f"    measured at B = {entry['batch']}, extrapolated ×{entry['factor']:g}"


def _blocks(run: Results) -> Iterator[str]:
    yield from _heading("blocks against their classical twins, forward + backward", run["threads"])
    for block in run["blocks"]:
        quantum, classical = spread_text(block["quantum"]), spread_text(block["classical"])
        yield f"{block['block'].upper():<5} {block['size']:<31} {quantum:<22} {classical:<22} " + (
            f"{number(block['ratio'])}×"
        )


def _compile(run: Results) -> Iterator[str]:
    yield from _heading("first forward + backward of a fresh QuantumLayer, s", run["threads"])
    keys = ("new_process_s", "fresh_layer_s", "empty_cache_s", "network_s")
    names = ("new process", "same process", "empty kernel cache", "Qiskit's network")
    yield f"{'circuit':<10}" + "".join(f"{name:>20}" for name in names)
    for entry in run["circuits"]:
        if "failed" in entry:
            yield f"{entry['circuit']:<10}{entry['failed']}"[:100]
        else:
            cells = (number(entry[key]) if key in entry else "–" for key in keys)
            yield f"{entry['circuit']:<10}" + "".join(f"{cell:>20}" for cell in cells)


def _gemm(run: Results) -> Iterator[str]:
    yield from _heading("complex-GEMM floor of QCNN B = 192, forward + backward", run["threads"])
    yield (
        f"{run['groups']} matrices of {run['fused_qubits']} fused qubits × 3 passes: "
        f"{run['gflop']:.3g} Gflop (no permutations, no read-out, no encoding)"
    )
    square, floor = number(run["square_gflops"]), number(run["floor_ms"])
    yield f"large square matrices: {square} Gflop/s, floor {floor} ms (the goal's)"
    shape, floor = number(run["shape_gflops"]), number(run["shape_floor_ms"])
    yield f"the shapes of this circuit: {shape} Gflop/s, floor {floor} ms"


def _memory(run: Results) -> Iterator[str]:
    yield from _heading("peak memory of QCNN B = 192, forward + backward", run["threads"])
    whole, layer = number(run["features_states"]), number(run["layer_states"])
    yield f"in state batches of {run['state_mib']:.1f} MiB: {whole} from features to ⟨Z⟩, " + (
        f"{layer} in the layer alone"
    )


def _scaling(run: Results) -> Iterator[str]:
    for name, title in (("qubits", "B = 8, over n"), ("batch", "n = 6, over B")):
        heading = f"scaling of ours: RY encoding, 2 layers, forward + backward, {title}"
        yield from _heading(heading, run["threads"])
        for point in run[name]:
            where = f"n = {point['n']:<3} B = {point['batch']:<5}"
            if "skipped" in point:
                yield f"{where} skipped: {point['skipped']}"
            else:
                peak = f"peak {number(point['peak_mib'])} MiB"
                yield f"{where} {spread_text(point['both_ms']) + ' ms':<32} {peak}"


def _aer(run: Results) -> Iterator[str]:
    yield from _heading("gradients through Aer's EstimatorV2, circuit n8, B = 8", run["threads"])
    yield f"{'stock parameter shift':<36} {number(run['stock_ms']['median'])} ms (one run)"
    for method, entry in run["methods"].items():
        label = f"BatchedEstimatorGradient {method}"
        times, faster = spread_text(entry["ms"]), f"{number(entry['speedup'])}× faster"
        yield f"{label:<36} {times:<24} {faster}, dev {entry['deviation']:.0e}"


def _goals(goals: list[Results]) -> Iterator[str]:
    yield from ("", "goals", "-----")
    if not goals:
        yield "none of them was measured"
    for goal in goals:
        verdict = "met   " if goal["met"] else "MISSED"
        measured = f"{number(goal['measured'])}{goal['unit']}"
        threads = f"{goal['threads']} thr."
        yield f"{verdict} {goal['goal']:<66} {threads} {goal['target']:>8} {measured:>9}".rstrip()
