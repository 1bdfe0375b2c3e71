"""The rows of ``gpu.py``: each returns numbers that can be stored as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from device import Device, captured
from peers import ours
from peers.runner import Arrays, TorchRunner
from timing import repeat, spread
from workloads import CIRCUITS, SMOKE, Workload, angle_circuit

TOLERANCE = 1e-5
"""Largest deviation of complex64 from complex128, relative to the largest entry of an array."""

SECONDS_LIMIT = 20.0
MEMORY_SHARE = 0.8
Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        device: What is compared with the CPU.
        rounds: Turns that every contender gets.
        seconds: Of each of a turn's measurements.
        smoke: Whether circuits have their smoke sizes.
        variants: Of ``"graph"`` and ``"compile"``: measured beside the engine as it is.
        log: Where progress goes.
    """

    device: Device
    rounds: int
    seconds: float
    smoke: bool
    variants: tuple[str, ...]
    log: Callable[[str], None]


def circuit_row(name: str, plan: Plan) -> Result:
    """One circuit on the device and on the CPU, compared with the CPU in complex128."""
    workload = (SMOKE if plan.smoke else CIRCUITS)[name]
    data = workload.data()
    reference = ours.build_on(workload, data, dtype=torch.float64).arrays()
    device = plan.device
    with device.executor():
        runner = ours.build_on(workload, data, device.name)
        entry: Result = {"label": _label(device)} | _deviation(runner.arrays(), reference)
        runner.forward()
        profiled = device.profile(runner.both)
        peak = device.peak_bytes(runner.both)
    entry["peak_mib"] = None if peak is None else peak / 2**20
    sweep = ours.build(workload, data)
    beside: Result = {"label": "QuantumLayer, CPU sweeps"} | _deviation(sweep.arrays(), reference)
    sweep.forward()
    _measure(((entry, runner, device), (beside, sweep, None)), plan)
    beside["ratio"] = beside["both_ms"]["median"] / entry["both_ms"]["median"]
    variants = [_variant(kind, runner, reference, plan) for kind in plan.variants]
    for variant in variants:
        if "both_ms" in variant:
            variant["ratio"] = variant["both_ms"]["median"] / entry["both_ms"]["median"]
    return {
        "circuit": name,
        "title": workload.title,
        "entries": [{**entry, "ratio": 1.0}, *variants, beside],
        "profile": profiled,
    }


def _measure(contenders: tuple[tuple[Result, TorchRunner, Device | None], ...], plan: Plan) -> None:
    """Forward alone and with backward, in turn; without a device the host's clock counts."""
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in contenders]
    for _ in range(plan.rounds):
        for (_, runner, device), (forward, both) in zip(contenders, times, strict=True):
            if device is None:
                forward += repeat(runner.forward, plan.seconds)
                both += repeat(runner.both, plan.seconds)
                continue
            with device.executor():
                forward += device.repeat(runner.forward, plan.seconds)
                both += device.repeat(runner.both, plan.seconds)
    for (entry, _, _), (forward, both) in zip(contenders, times, strict=True):
        entry |= {"forward_ms": spread(forward), "both_ms": spread(both)}


def _variant(kind: str, runner: TorchRunner, reference: Arrays, plan: Plan) -> Result:
    """The same step replayed from a CUDA graph, or through ``torch.compile``."""
    device = plan.device
    label = {"graph": "  in a CUDA graph", "compile": "  by torch.compile"}[kind]
    if kind == "graph" and device.rehearsal:
        return {"label": label, "not_run": "CUDA graphs need a CUDA device"}
    try:
        with device.executor():
            if kind == "graph":
                forward, _ = captured(runner.forward)
                both, results = captured(runner.both)
                both()
                arrays = runner.as_arrays(results)
            else:
                compiled = runner.compiled()
                forward, both = compiled.forward, compiled.both
                arrays = compiled.arrays()
                forward()
            times = [device.repeat(c, plan.rounds * plan.seconds) for c in (forward, both)]
    except Exception as error:  # an experiment: the table says why it did not work
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return {"label": label, "not_run": message}
    measured = {"forward_ms": spread(times[0]), "both_ms": spread(times[1]), "peak_mib": None}
    return {"label": label, **measured, **_deviation(arrays, reference)}


def _label(device: Device) -> str:
    return "QuantumLayer, torch on CPU" if device.rehearsal else "QuantumLayer, CUDA"


def _deviation(arrays: Arrays, reference: Arrays) -> Result:
    """Per array the largest difference, in units of the reference's largest entry."""
    each = {
        name: float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        for name, ours, theirs in zip(arrays._fields, arrays, reference, strict=True)
    }
    # a NaN is no deviation that max() would find
    worst = max(each.values()) if np.isfinite(list(each.values())).all() else float("nan")
    return {"deviations": each, "deviation": worst}


def scaling(plan: Plan) -> Result:
    """Forward + backward over n at B = 8, and over B at n = 6, beside the CPU sweeps."""
    if plan.smoke:
        return {"qubits": _grow([(2, 2), (3, 2)], plan), "batch": _grow([(2, 1), (2, 4)], plan)}
    return {
        "qubits": _grow([(n, 8) for n in range(4, 25, 2)], plan),
        "batch": _grow([(6, 4**k) for k in range(10)], plan),
    }


def _grow(sizes: list[tuple[int, int]], plan: Plan) -> list[Result]:
    """Growing sizes; each side stops where the size before foretells that it would take too long.

    The device also stops where its memory would not do.
    """
    points: list[Result] = []
    slowest = {"device": 0.0, "cpu": 0.0}
    grown, before = 0.0, 0
    for n, batch in sizes:
        growth = batch * 2**n / before if before else 1.0
        before = batch * 2**n
        grown *= growth
        slowest = {side: seconds * growth for side, seconds in slowest.items()}
        point: Result = {"n": n, "batch": batch}
        points.append(point)
        workload = angle_circuit(n, batch)
        plan.log(f"  n = {n}, B = {batch}")
        if slowest["device"] > SECONDS_LIMIT or grown > MEMORY_SHARE * _free_memory(plan.device):
            point["skipped"] = (
                f"would need about {slowest['device']:.0f} s, {grown / 2**30:.0f} GiB"
            )
            continue
        found, peak = _device_point(workload, plan, point)
        slowest["device"] = point["both_ms"]["median"] / 1000
        grown = float(peak or 0)
        if slowest["cpu"] > SECONDS_LIMIT:
            point["cpu_skipped"] = f"would need about {slowest['cpu']:.0f} s"
            continue
        _cpu_point(workload, plan, point, found)
        slowest["cpu"] = point["cpu_ms"]["median"] / 1000
    return points


def _device_point(workload: Workload, plan: Plan, point: Result) -> tuple[Arrays, int | None]:
    with plan.device.executor():
        runner = ours.build_on(workload, workload.data(), plan.device.name)
        found = runner.arrays()
        peak = plan.device.peak_bytes(runner.both)
        point["both_ms"] = spread(plan.device.repeat(runner.both, plan.seconds))
    point["peak_mib"] = None if peak is None else peak / 2**20
    return found, peak


def _cpu_point(workload: Workload, plan: Plan, point: Result, found: Arrays) -> None:
    runner = ours.build(workload, workload.data())
    runner.both()
    point["cpu_ms"] = spread(repeat(runner.both, plan.seconds))
    exact = ours.build_on(workload, workload.data(), dtype=torch.float64)
    point |= _deviation(found, exact.arrays())


def _free_memory(device: Device) -> float:
    if device.rehearsal:
        return float("inf")
    unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return float(torch.cuda.mem_get_info()[0] + unused)


def aer(plan: Plan) -> Result:
    """The Jacobians that ``BatchedEstimatorGradient`` gets from Aer's statevectors on a GPU."""
    from qiskit_aer import AerSimulator

    offered = list(AerSimulator().available_devices())
    if "GPU" not in offered and not plan.smoke:
        reason = "the installed Aer has no GPU: make gpu puts qiskit-aer-gpu in its place"
        return {"not_run": f"{reason} (it offers {', '.join(offered)})"}
    device = "CPU" if plan.smoke else "GPU"
    runs = [("n8", "adjoint"), ("n8", "param_shift"), ("paqm", "adjoint")]
    circuits = SMOKE if plan.smoke else CIRCUITS
    entries = [_aer_run(circuits[name], method, device, plan) for name, method in runs]
    return {"device": device, "offered": offered, "entries": entries}


def _aer_run(workload: Workload, method: Any, device: str, plan: Plan) -> Result:
    from peers.aer_gradients import network_on
    from qiskit_aer.primitives import EstimatorV2

    from qvlm_qiskit.quantum import BatchedEstimatorGradient

    plan.log(f"  Aer, {workload.name}, {method}")
    data = workload.data()
    options = {"backend_options": {"method": "statevector", "device": device}}
    estimator = EstimatorV2(options=options)
    network = network_on(workload, estimator, BatchedEstimatorGradient(estimator, method))

    def gradients() -> tuple[Any, Any]:
        by_input, by_weight = network.backward(data.inputs, data.weights)
        return (
            np.einsum("bo,boi->bi", data.cotangent, by_input),
            np.einsum("bo,bow->w", data.cotangent, by_weight),
        )

    outputs = np.asarray(network.forward(data.inputs, data.weights))
    reference = ours.build_on(workload, data, dtype=torch.float64).arrays()
    found = _deviation(Arrays(outputs, *gradients()), reference)
    times = repeat(gradients, plan.rounds * plan.seconds)
    label = f"Aer {device}, {method}, {workload.name}, B = {workload.batch}"
    return {"label": label, "ms": spread(times), **found}


def faults(rows: Result) -> list[str]:
    """What makes a run fail: deviations above :data:`TOLERANCE`, and what a step must not do."""
    found = []
    for row in rows.get("circuits", []):
        found += [f"{row['circuit']}: {fault}" for fault in row["profile"]["faults"]]
        entries = [entry for entry in row["entries"] if "deviation" in entry]
        found += [_too_far(f"{row['circuit']}, {e['label'].strip()}", e) for e in entries]
    for name in ("qubits", "batch"):
        for point in rows.get("scaling", {}).get(name, []):
            if "deviation" in point:
                found.append(_too_far(f"n = {point['n']}, B = {point['batch']}", point))
    found += [_too_far(e["label"], e) for e in rows.get("aer", {}).get("entries", [])]
    return [fault for fault in found if fault]


def _too_far(where: str, entry: Result) -> str:
    if entry["deviation"] <= TOLERANCE:
        return ""
    return f"{where}: deviates by {entry['deviation']:.1e}, more than {TOLERANCE:g}"
