"""The goals of the engine, and whether a set of results meets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Goal = dict[str, Any]
Results = dict[str, Any]


def judge(results: Results) -> list[Goal]:
    """One line per goal, row and number of threads; goals that were not measured are left out."""
    goals: list[Goal] = []
    for table in results["rows"].get("circuits", []):
        goals += _against_others(table)
        if table["circuit"] == "qcnn192":
            goals += _against_floor(table, results["rows"].get("gemm", []))
    for table in results["rows"].get("capabilities", []):
        goals += _capability(table)
    for run in results["rows"].get("blocks", []):
        for block in run.get("blocks", []):
            name = f"{block['block'].upper()} block against its classical twin"
            goals.append(_at_most(name, run["threads"], block["ratio"], 10, "×"))
    for run in results["rows"].get("compile", []):
        goals += _compile(run)
    for run in results["rows"].get("memory", []):
        if "features_states" in run:
            name = "QCNN B = 192: peak memory in state batches"
            goals.append(_at_most(name, run["threads"], run["features_states"], 4, ""))
    for run in results["rows"].get("aer", []):
        for method, entry in run.get("methods", {}).items():
            name = f"gradient on Aer, {method}, against the stock rule"
            goals.append(_at_least(name, run["threads"], entry["speedup"], 20))
    return goals


def _at_most(name: str, threads: int, value: float, target: float, unit: str) -> Goal:
    goal = {"goal": name, "threads": threads, "target": f"≤ {target:g}{unit}", "measured": value}
    return {**goal, "unit": unit, "met": value <= target}


def _at_least(name: str, threads: int, value: float, target: float) -> Goal:
    goal = {"goal": name, "threads": threads, "target": f"≥ {target:g}×", "measured": value}
    return {**goal, "unit": "×", "met": value >= target}


def _against_others(table: Results) -> Iterator[Goal]:
    """The stock pair at n = 8; the best installed peer of the other circuits."""
    name, threads = table["circuit"], table["threads"]
    rated = [e for e in table["entries"] if "ratio" in e]
    if name == "n8":
        for entry in rated:
            if entry["kind"] == "stock":
                yield _at_least(
                    "n = 8, B = 8 against the stock pair", threads, entry["ratio"], 5000
                )
        return
    peers = [e for e in rated if e["kind"] == "peer"]
    if peers:
        best = min(peers, key=lambda e: e["ratio"])
        yield _at_least(f"{name} against the best peer, {best['label']}", threads, best["ratio"], 5)


def _against_floor(table: Results, gemms: list[Results]) -> Iterator[Goal]:
    ours = table["entries"][0]
    for gemm in gemms:
        if gemm["threads"] == table["threads"] and "floor_ms" in gemm and "both_ms" in ours:
            value = ours["both_ms"]["median"] / gemm["floor_ms"]
            name = "QCNN B = 192 against the complex-GEMM floor"
            yield _at_most(name, table["threads"], value, 2, "×")


CAPABILITIES = {
    "probabilities12": [("n = 12, probabilities: network and first call", "again_s", 0.7, " s")],
    "kernel": [("fidelity kernel, 60 points at n = 10", "forward_ms", 40, " ms")],
    "groups": [("64 groups, forward + backward", "both_ms", 46, " ms")],
    "hamiltonian": [
        ("Hamiltonians as inputs, forward + backward", "both_ms", 60, " ms"),
        ("Hamiltonians as inputs: network and first call", "again_s", 2, " s"),
    ],
    "cones": [("156 qubits in a line, forward + backward", "both_ms", 1000, " ms")],
}
"""By row: goal, the key of ours that is judged, at most, unit."""


def _capability(table: Results) -> Iterator[Goal]:
    ours = table.get("entries", [{}])[0]
    for name, key, target, unit in CAPABILITIES.get(table["circuit"], []):
        if key in ours:
            value = ours[key]["median"] if key.endswith("_ms") else ours[key]
            yield _at_most(name, table["threads"], value, target, unit)


def _compile(run: Results) -> Iterator[Goal]:
    for key, when in (("new_process_s", "new process"), ("empty_cache_s", "empty kernel cache")):
        times = [entry[key] for entry in run["circuits"] if key in entry]
        if times:
            name = f"slowest first call of a fresh layer, {when}"
            yield _at_most(name, run["threads"], max(times), 1, " s")
