r"""Exact values and gradients under a device's noise: the density-matrix engine against Aer.

    python benchmarks/noise.py [--smoke] [--rounds N] [--threads N] [--json PATH]

The circuit is the QCNN block's (amplitude encoding, two layers) compiled for FakeTorino; readout
error is left out, because Aer's EstimatorV2 reads its values off the state. Both run on the same
ISA circuit in one process, in turn. Tables go to the standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from timing import interleave, repeat, spread, thread_environment

PACKAGES = ("torch", "numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime")
DEVICE = "fake_torino"
GOALS = {
    "forward, 64 samples × 4 observables": ("forward_ms", 10.0, " ms"),
    "gradient step, 8 samples": ("gradient_ms", 200.0, " ms"),
    "largest deviation from Aer": ("deviation", 1e-6, ""),
}
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    # before torch and Aer are loaded
    os.environ.update(thread_environment(options.threads))
    results: Results = {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": {**vars(options), "json": None if options.json is None else str(options.json)},
        "versions": {name: version(name) for name in PACKAGES},
        "machine": _machine(),
    }
    import torch

    torch.set_num_threads(options.threads)
    qubits, batch = (2, 4) if options.smoke else (4, 64)
    case = Case(qubits)
    _log("forward")
    results["forward"] = forward(case, batch, options)
    _log("gradient")
    results["gradient"] = gradient(case, 4 if options.smoke else 8, options)
    _log("scaling")
    results["scaling"] = [scaling(n, options) for n in ((2,) if options.smoke else (2, 4, 6, 8))]
    results["machine"]["load_after"] = os.getloadavg()[0]
    results["goals"] = [] if options.smoke else judge(results)
    print(render(results), end="")
    if options.json is not None:
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        options.json.write_text(text, encoding="utf-8")


class Case:
    """A block's circuit on the device, its noise without readout error, and values for it."""

    def __init__(self, num_qubits: int) -> None:
        """Compile; the time for that is everybody's alike."""
        import numpy as np

        from qvlm_qiskit.backends import open_backend, open_noise
        from qvlm_qiskit.blocks.core import build_core

        self.network = build_core("quantum", num_qubits, 2, False).layer.neural_network
        self.isa = open_backend(f"noisy:{DEVICE}", seed=0).compile(
            self.network.circuit, self.network.observables
        )
        spec = open_noise(DEVICE)
        silent = [replace(q, p_meas1_prep0=0.0, p_meas0_prep1=0.0) for q in spec.qubits]
        self.spec = replace(spec, qubits=tuple(silent))
        own = {p.name: p for p in self.isa.circuit.parameters}
        names = [*self.network.input_params, *self.network.weight_params]
        self.parameters = [own[p.name] for p in names]
        rng = np.random.default_rng(0)
        self.inputs = rng.uniform(-np.pi, np.pi, (64, self.network.num_inputs))
        self.weights = rng.uniform(-np.pi, np.pi, self.network.num_weights)

    def observables(self) -> list[Any]:
        """On the device's qubits."""
        from qiskit.quantum_info import SparsePauliOp

        array = self.isa.observables.sparse_observables_array().ravel()
        return [SparsePauliOp.from_sparse_observable(observable) for observable in array]

    def engine(self) -> Any:
        """Ours, with everything that is done once per circuit."""
        from qvlm_qiskit.quantum import TorchEstimator

        estimator = TorchEstimator(noise_model=self.spec, dtype="complex128")
        return estimator.engine(
            self.isa.circuit, self.observables(), self.parameters, self.network.num_inputs
        )

    def pub(self, batch: int, reduced: bool) -> tuple[Any, Any, Any]:
        """All observables against all samples; on the active qubits only if ``reduced``."""
        import numpy as np
        from qiskit.primitives.containers.observables_array import ObservablesArray

        from qvlm_qiskit.backends.reduce import (
            active_qubits,
            restrict_circuit,
            restrict_observables,
        )

        circuit, observables = self.isa.circuit, ObservablesArray.coerce(self.observables())
        if reduced:
            qubits = active_qubits(circuit, observables)
            circuit = restrict_circuit(circuit, qubits)
            observables = restrict_observables(observables, qubits)
        whole = [*self.inputs[:batch].T, *(np.full(batch, w) for w in self.weights)]
        columns = {p.name: c for p, c in zip(self.parameters, whole, strict=True)}
        values = np.stack([columns[p.name] for p in circuit.parameters], axis=-1)
        return circuit, observables.reshape(-1, 1), values

    def aer(self, reduced: bool) -> Any:
        """Aer's EstimatorV2 with this noise: for the whole device, or the active qubits."""
        from qiskit_aer import AerSimulator
        from qiskit_aer.primitives import EstimatorV2

        from qvlm_qiskit.backends.fakes import fake_device
        from qvlm_qiskit.backends.reduce import active_qubits
        from qvlm_qiskit.noise_models import build, restricted

        if not reduced:
            return EstimatorV2.from_backend(AerSimulator.from_backend(fake_device(DEVICE)))
        _, observables, _ = self.pub(1, reduced=False)
        model = build(restricted(self.spec, active_qubits(self.isa.circuit, observables)))
        return EstimatorV2.from_backend(AerSimulator(method="density_matrix", noise_model=model))


def forward(case: Case, batch: int, options: argparse.Namespace) -> Results:
    """Values of all samples and observables: set-up, time per call, deviation."""
    import numpy as np
    import torch

    start = time.perf_counter()
    engine = case.engine()
    setup = {"ours": time.perf_counter() - start}
    inputs, weights = torch.tensor(case.inputs[:batch]), torch.tensor(case.weights)

    def ours() -> Any:
        with torch.no_grad():
            return engine.expectations(inputs, weights).numpy()

    calls: dict[str, Callable[[], Any]] = {"ours": ours}
    for name, reduced in (("aer", True), ("aer, whole device", False)):
        if options.smoke and not reduced:
            continue
        start = time.perf_counter()
        estimator = case.aer(reduced)
        setup[name] = time.perf_counter() - start
        pub = case.pub(batch, reduced)
        calls[name] = lambda estimator=estimator, pub=pub: (
            estimator.run([pub], precision=0.0).result()[0].data.evs.T
        )
    values = {name: call() for name, call in calls.items()}
    times = interleave(calls, options.rounds, 0.01 if options.smoke else 0.5)
    return {
        "qubits": case.network.circuit.num_qubits,
        "batch": batch,
        "observables": len(case.network.observables),
        "two_qubit_gates": case.isa.two_qubit_gates,
        "entries": {
            name: {
                "setup_s": setup[name],
                "ms": times[name],
                "ratio": times[name]["median"] / times["ours"]["median"],
                "deviation": float(np.abs(found - values["ours"]).max()),
            }
            for name, found in values.items()
        },
    }


def gradient(case: Case, batch: int, options: argparse.Namespace) -> Results:
    """All gradients by inputs and weights: autograd against the shift rule on reduced Aer."""
    import numpy as np
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    from qvlm_qiskit.quantum import BatchedEstimatorGradient

    step = _step(case, case.engine(), batch)
    circuit, observables, _ = case.pub(1, reduced=True)
    estimator = case.aer(reduced=True)
    split = case.network.num_inputs
    network = EstimatorQNN(
        circuit=circuit,
        estimator=estimator,
        observables=list(observables.sparse_observables_array().ravel()),
        input_params=case.parameters[:split],
        weight_params=case.parameters[split:],
        gradient=BatchedEstimatorGradient(estimator, precision=0.0),
        input_gradients=True,
        default_precision=0.0,
    )

    def shifted() -> Any:
        by_inputs, by_weights = network.backward(case.inputs[:batch], case.weights)
        return by_inputs.sum(1), by_weights.sum((0, 1))

    found, expected = step(), shifted()
    deviation = max(
        float(np.abs(one.detach().numpy() - other).max())
        for one, other in zip(found, expected, strict=True)
    )
    seconds = 0.01 if options.smoke else 0.5
    ours = spread([t for _ in range(options.rounds) for t in repeat(step, seconds)])
    theirs = spread(repeat(shifted, seconds))
    return {
        "batch": batch,
        "ours": ours,
        "aer": theirs,
        "ratio": theirs["median"] / ours["median"],
        "deviation": deviation,
    }


def scaling(num_qubits: int, options: argparse.Namespace) -> Results:
    """Forward and gradient of 8 samples, over the number of qubits."""
    case = Case(num_qubits)
    start = time.perf_counter()
    engine = case.engine()
    setup = time.perf_counter() - start
    step = _step(case, engine, 8)
    step()
    seconds = 0.01 if options.smoke else 0.5
    return {
        "qubits": num_qubits,
        "two_qubit_gates": case.isa.two_qubit_gates,
        "setup_s": setup,
        "gradient_ms": spread([t for _ in range(options.rounds) for t in repeat(step, seconds)]),
    }


def _step(case: Case, engine: Any, batch: int) -> Callable[[], Any]:
    import torch

    inputs = torch.tensor(case.inputs[:batch], requires_grad=True)
    weights = torch.tensor(case.weights, requires_grad=True)

    def step() -> Any:
        return torch.autograd.grad(engine.expectations(inputs, weights).sum(), (inputs, weights))

    return step


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
        f"{results['command']['threads']} thread",
        f"Load of the machine {machine['load_before']:.1f} before, {machine['load_after']:.1f} "
        "after. Medians [quartiles] in ms.",
        "",
        f"{DEVICE}, {found['qubits']} qubits, {found['two_qubit_gates']} two-qubit gates, "
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


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure noisy values and gradients against Aer.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, without the whole device")
    parser.add_argument("--rounds", type=_positive, default=None, help="turns; default 5")
    parser.add_argument("--threads", type=_positive, default=1, help="default 1")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.smoke else 5)
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _machine() -> Results:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
