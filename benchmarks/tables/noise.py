"""The tables of ``benchmarks/noise.py``, and its goals."""

from __future__ import annotations

from typing import Any

GOALS = {
    "forward, 64 samples × 4 observables": ("forward_ms", 10.0, " ms"),
    "gradient step, 8 samples": ("gradient_ms", 200.0, " ms"),
    "largest deviation from Aer": ("deviation", 1e-6, ""),
}
Results = dict[str, Any]


def judge(results: Results) -> list[Results]:
    """The goals, with what was measured."""
    entries = results["forward"]["entries"]
    measured = {
        "forward_ms": entries["ours"]["ms"]["median"],
        "gradient_ms": results["gradient"]["ours"]["median"],
        "deviation": max(
            results["gradient"]["deviation"], *(entry["deviation"] for entry in entries.values())
        ),
    }
    return [
        {"goal": goal, "target": bound, "measured": measured[key], "unit": unit,
         "met": measured[key] <= bound}
        for goal, (key, bound, unit) in GOALS.items()
    ]  # fmt: skip


def render(results: Results) -> str:
    """All tables, then the goals."""
    machine, found = results["machine"], results["forward"]
    lines = [
        f"{results['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{results['command']['threads'][0]} thread",
        f"Load of the machine {machine['load_before']:.1f} before, {machine['load_after']:.1f} "
        "after. Medians [quartiles] in ms.",
        "",
        f"{found['device']}, {found['qubits']} qubits, {found['two_qubit_gates']} two-qubit gates, "
        f"{found['batch']} samples × {found['observables']} observables, exact values",
        f"{'':<20}{'set-up':>10}{'time':>26}{'×':>10}{'deviation':>12}",
    ]
    for name, entry in found["entries"].items():
        lines.append(
            f"{name:<20}{entry['setup_s']:>8.2f} s{_spread(entry['ms']):>26}"
            f"{entry['ratio']:>10.1f}{entry['deviation']:>12.0e}"
        )
    step = results["gradient"]
    lines += [
        "",
        f"gradient of inputs and weights, {step['batch']} samples",
        f"{'ours, autograd':<30}{_spread(step['ours']):>26}",
        f"{'aer, shift rule':<30}{_spread(step['aer']):>26}{step['ratio']:>10.1f}"
        f"{step['deviation']:>12.0e}",
        "",
        "gradient step of ours over the number of qubits, 8 samples",
    ]
    for point in results["scaling"]:
        lines.append(
            f"n = {point['qubits']:<3}{point['two_qubit_gates']:>5} two-qubit gates"
            f"{point['setup_s']:>10.2f} s set-up{_spread(point['gradient_ms']):>28}"
        )
    lines += ["", *(_goal(goal) for goal in results["goals"])]
    return "\n".join(lines).rstrip() + "\n"


def _goal(goal: Results) -> str:
    verdict = "met   " if goal["met"] else "MISSED"
    measured, bound = (f"{goal[key]:.3g}{goal['unit']}" for key in ("measured", "target"))
    return f"{verdict} {goal['goal']:<45} ≤ {bound:>8}  {measured:>10}"


def _spread(times: Any) -> str:
    return f"{times['median']:,.1f} [{times['low']:,.1f}–{times['high']:,.1f}]"
