r"""What each mitigation gains and costs on the circuit of a PAQM block, and mthree beside ours.

    python benchmarks/mitigation.py [--smoke] [--shots N] [--rows N] [--json PATH]

The circuit (amplitude encoding of 4 qubits, positions, two layers) is compiled for fake_torino; its
parameter values are random, the exact values are those of the statevector. Everything runs with
the same shots per circuit, so a technique that runs more circuits pays more: "overhead" is its
executions per execution without mitigation, calibration apart. Tables go to the standard output,
progress to standard error.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from command import log, store, version_of

PACKAGES = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq", "mthree", "torch")
DEVICE = "fake_torino"
OURS = (
    "none", "readout", "zne", "readout+zne", "readout+zne(factory=richardson)",
    "readout+zne(factory=exp)", "readout+cdr", "readout+learned-zne", "readout+pec",
    "readout+twirling(randomizations=16)+pec", "readout+twirling", "auto",
)  # fmt: skip
OF_THE_RUNTIME = (
    "none", "dd", "twirling", "resilience-1", "resilience-1+dd", "resilience-2", "readout",
    "readout+zne",
)  # fmt: skip
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    case = Case(2 if options.smoke else 4, 3 if options.smoke else options.rows)
    shots = 100 if options.smoke else options.shots
    machines = {
        f"noisy:{DEVICE}": ("none", "readout+cdr(circuits=6)") if options.smoke else OURS,
        DEVICE: ("none", "twirling(randomizations=4)") if options.smoke else OF_THE_RUNTIME,
    }
    results: Results = {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "shots": shots,
        "rows": len(case.values),
        "qubits": case.network.circuit.num_qubits,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version_of(name) for name in PACKAGES},
        "machines": {
            name: [_measured(case, name, mitigation, shots) for mitigation in mitigations]
            for name, mitigations in machines.items()
        },
        "readout": readout(case, *((shots, 500) if options.smoke else (100_000, 100_000))),
    }
    print(render(results), end="")
    store(results, options.json)


class Case:
    """The circuit, its observables, parameter values and exact expectation values."""

    def __init__(self, num_qubits: int, rows: int) -> None:
        """Draw the values; they are the same in every run."""
        import numpy as np

        from qvlm_qiskit.backends import open_backend
        from qvlm_qiskit.blocks import build_core

        self.network = build_core("quantum", num_qubits, 2, positional=True).layer.neural_network
        self.observables = [[observable] for observable in self.network.observables]
        rng = np.random.default_rng(0)
        self.values = rng.uniform(-np.pi, np.pi, (rows, self.network.circuit.num_parameters))
        exact = open_backend("statevector", dtype="complex128").estimator()
        self.exact = exact.run([self.pub]).result()[0].data.evs

    @property
    def pub(self) -> tuple[Any, Any, Any]:
        """Circuit, observables against rows, values."""
        return self.network.circuit, self.observables, self.values


def _measured(case: Case, machine: str, mitigation: str, shots: int) -> Results:
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    log(f"{machine}, {mitigation}")
    started = time.perf_counter()
    backend = open_backend(machine, shots=shots, seed=1, mitigation=mitigation)
    result = backend.estimator().run([case.pub]).result()[0]
    error = result.data.evs - case.exact
    about = result.metadata
    calibration = about.get("calibration_executions")
    if calibration is None:
        calibration = about.get("calibration_executions_of_job", 0)
    return {
        "mitigation": mitigation,
        "rms": float(np.sqrt(np.mean(error**2))),
        "bias": float(np.mean(error * np.sign(case.exact))),
        "standard_error": float(np.sqrt(np.mean(np.asarray(result.data.stds) ** 2))),
        "executions": about["executions"],
        "overhead": about["executions"] / (len(case.values) * shots),
        "calibration_executions": calibration,
        "seconds": time.perf_counter() - started,
        "auto": about.get("auto"),
    }


def readout(case: Case, shots: int, calibration_shots: int) -> list[Results]:
    """Readout errors alone: our rewritten observables beside mthree's corrected counts.

    The same compiled circuit and the same numbers of shots; the noise is fake_torino's readout and
    nothing else, so the error that is left is that of the inversion and of the shots.
    """
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    log("readout alone")
    backend = open_backend(f"noisy:{DEVICE}", shots=shots, seed=1)
    compiled = backend.compile(case.network.circuit, case.observables)
    flips = _flips(compiled.layout)
    rows = []
    for name, run in (("raw counts", _raw), ("ours", _ours), ("mthree", _mthree)):
        if name == "mthree" and version_of("mthree") is None:
            continue
        started = time.perf_counter()
        evs = run(case, compiled, flips, shots, calibration_shots)
        error = evs - case.exact
        rows.append(
            {
                "method": name,
                "shots": shots,
                "rms": float(np.sqrt(np.mean(error**2))),
                "largest": float(np.abs(error).max()),
                "seconds": time.perf_counter() - started,
            }
        )
    return rows


def _flips(layout: Any) -> dict[int, tuple[float, float]]:
    """p(1|0) and p(0|1) of every measured device qubit."""
    from qvlm_qiskit.backends import open_noise

    spec = open_noise(DEVICE)
    noise = [spec.qubits[qubit] for qubit in layout]
    pairs = [(q.p_meas1_prep0, q.p_meas0_prep1) for q in noise]
    return dict(zip(layout, pairs, strict=True))


def _device(flips: dict[int, tuple[float, float]]) -> Any:
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, ReadoutError

    from qvlm_qiskit.backends.devices.sampling import ReducedSimulator, SampledEstimator

    def reduced(qubits: tuple[int, ...]) -> ReducedSimulator:
        model = NoiseModel(["rz", "sx", "x", "cz"])
        for position, qubit in enumerate(qubits):
            up, down = flips.get(qubit, (0.0, 0.0))
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [position])
        make = partial(AerSimulator, noise_model=model, method="statevector")
        return ReducedSimulator(make, None)

    return SampledEstimator(reduced, seed=3)


def _pub(case: Case, compiled: Any, shots: int) -> tuple[Any, Any, Any, float]:
    from qvlm_qiskit.backends.pubs.shots import precision_of_shots

    own = [parameter.name for parameter in compiled.circuit.parameters]
    names = [parameter.name for parameter in case.network.circuit.parameters]
    columns = [names.index(name) for name in own]
    values = case.values[:, columns]
    return compiled.circuit, compiled.observables, values, precision_of_shots(shots)


def _raw(case: Case, compiled: Any, flips: Any, shots: int, _: int) -> Any:
    return _device(flips).run([_pub(case, compiled, shots)]).result()[0].data.evs


def _ours(case: Case, compiled: Any, flips: Any, shots: int, calibration_shots: int) -> Any:
    from qvlm_qiskit.backends.devices.fake_devices import fake_device
    from qvlm_qiskit.backends.mitigation import ReadoutMitigated

    target = fake_device(DEVICE).target
    estimator = ReadoutMitigated(_device(flips), target, calibration_shots)
    return estimator.run([_pub(case, compiled, shots)]).result()[0].data.evs


def _mthree(case: Case, compiled: Any, flips: Any, shots: int, calibration_shots: int) -> Any:
    """Counts of the same noise, corrected by M3 with matrices from two calibration circuits."""
    import mthree
    import numpy as np

    rng = np.random.default_rng(4)
    layout = list(compiled.layout)
    matrices = []
    for qubit in layout:
        up, down = (rng.binomial(calibration_shots, p) / calibration_shots for p in flips[qubit])
        matrices.append(np.array([[1 - up, down], [up, 1 - down]]))
    mitigator = mthree.M3Mitigation(None)
    mitigator.cals_from_matrices(matrices)
    counts = _counts(case, compiled, flips, shots)
    corrected = [mitigator.apply_correction(c, list(range(len(layout)))) for c in counts]
    found = np.empty_like(case.exact)
    for row, quasi in enumerate(corrected):
        for index in range(len(layout)):
            label = "".join("Z" if q == index else "I" for q in reversed(range(len(layout))))
            found[index, row] = quasi.expval(label)
    return found


def _counts(case: Case, compiled: Any, flips: Any, shots: int) -> list[dict[str, int]]:
    from qiskit import ClassicalRegister
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, ReadoutError

    from qvlm_qiskit.backends.pubs.active_qubits import restrict_circuit

    layout = sorted(compiled.layout)
    circuit = restrict_circuit(compiled.circuit, layout)
    model = NoiseModel(["rz", "sx", "x", "cz"])
    for position, qubit in enumerate(layout):
        up, down = flips[qubit]
        model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [position])
    circuit.add_register(ClassicalRegister(len(layout)))
    for bit, qubit in enumerate(compiled.layout):
        circuit.measure(layout.index(qubit), bit)
    _, _, values, _ = _pub(case, compiled, shots)
    names = [parameter.name for parameter in compiled.circuit.parameters]
    bound = [circuit.assign_parameters(dict(zip(names, row, strict=True))) for row in values]
    simulator = AerSimulator(noise_model=model, method="statevector")
    result = simulator.run(bound, shots=shots, seed_simulator=5).result()
    return [result.get_counts(index) for index in range(len(bound))]


def render(results: Results) -> str:
    """The tables as text."""
    lines = [
        f"{results['qubits']} qubits, {results['rows']} rows, {results['shots']} shots per "
        f"circuit; {results['date']}",
        "",
    ]
    for machine, rows in results["machines"].items():
        lines.append(f"{machine:40} {'rms':>8} {'bias':>8} {'std':>8} {'over':>6} "
                     f"{'calibration':>12} {'s':>6}")  # fmt: skip
        for row in rows:
            lines.append(
                f"{row['mitigation']:40} {row['rms']:8.4f} {row['bias']:+8.4f} "
                f"{row['standard_error']:8.4f} {row['overhead']:6.2f} "
                f"{row['calibration_executions']:12,} {row['seconds']:6.1f}"
            )
        lines.append("")
    title = f"readout alone, {results['readout'][0]['shots']:,} shots"
    lines.append(f"{title:40} {'rms':>8} {'largest':>8} {'s':>8}")
    for row in results["readout"]:
        lines.append(
            f"{row['method']:40} {row['rms']:8.4f} {row['largest']:8.4f} {row['seconds']:8.2f}"
        )
    for rows in results["machines"].values():
        lines += [f"\nauto: {row['auto']['why']}" for row in rows if row["auto"]]
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes, for the tests")
    parser.add_argument("--shots", type=int, default=4096, help="per circuit")
    parser.add_argument("--rows", type=int, default=16, help="parameter rows")
    parser.add_argument("--json", type=Path, help="store the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
