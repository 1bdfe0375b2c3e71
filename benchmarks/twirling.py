r"""Learned noise with and without twirling, where errors of two-qubit gates are coherent.

    python benchmarks/twirling.py [--smoke] [--seeds N] [--shots N] [--json PATH]

The machines are fake_kingston, the same with every cz turned further by 3 % of its angle, and the
same with crosstalk (``+zz(0.05)``). Two qubits, six layers of random angles and a cz, eight rows of
four observables; every seed has angles, samples and random circuits of its own, and all mitigations
of a seed the same angles. Printed are the rms errors of the values and the paired differences that
twirling makes, with 95 % intervals over the seeds. Tables go to the standard output, progress to
standard error.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from command import log, store, version_of

DEVICE = "fake_kingston"
PAIRS = (
    ("readout", "twirling(randomizations=16)+readout"),
    ("readout+pec(model=learned)", "twirling(randomizations=16)+readout+pec(model=learned)"),
    ("readout+pea", "twirling(randomizations=16)+readout+pea"),
)
PACKAGES = ("numpy", "qiskit", "scipy", "torch")
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    pairs = (("none", "twirling(randomizations=2)"),) if options.smoke else PAIRS
    seeds, shots = (2, 100) if options.smoke else (options.seeds, options.shots)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _measured(label, name, mitigation, seeds, shots)
            for label, name in machines(Path(folder)).items()
            for pair in pairs
            for mitigation in pair
        ]
    results: Results = {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "shots": shots,
        "seeds": seeds,
        "pairs": [list(pair) for pair in pairs],
        "versions": {name: version_of(name) for name in PACKAGES},
        "rows": rows,
    }
    print(render(results), end="")
    store(results, options.json)


def machines(folder: Path) -> dict[str, str]:
    """Names of the machines → names of backends; one is a file in the folder."""
    from dataclasses import replace

    from qvlm_qiskit.backends import open_noise
    from qvlm_qiskit.noise_models import OverRotation

    turned = replace(open_noise(DEVICE), sources=(OverRotation(("cz",), 0.03),))
    turned.save(folder / "turned.json")
    return {
        "cz turned 3 % too far": f"noisy:{folder / 'turned.json'}",
        "crosstalk zz(0.05)": f"noisy:{DEVICE}+zz(0.05)",
        DEVICE: f"noisy:{DEVICE}",
    }


def pair(layers: int = 6) -> Any:
    """Layers of rotations of two qubits by free angles, and a cz."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    circuit = QuantumCircuit(2)
    angles = iter(ParameterVector("t", 2 * layers))
    for _ in range(layers):
        for qubit in range(2):
            circuit.ry(next(angles), qubit)
        circuit.cz(0, 1)
    circuit.ry(0.7, range(2))
    return circuit


def _measured(label: str, machine: str, mitigation: str, seeds: int, shots: int) -> Results:
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    started, circuit = time.perf_counter(), pair()
    observables = [["ZI"], ["IZ"], ["ZZ"], ["XI"]]
    exact = open_backend("statevector", dtype="complex128").estimator()
    errors, biases, chi2 = [], [], []
    for seed in range(seeds):
        shape = (8, circuit.num_parameters)
        pub = circuit, observables, np.random.default_rng(seed).uniform(-np.pi, np.pi, shape)
        expected = exact.run([pub]).result()[0].data.evs
        backend = open_backend(
            machine, shots=shots, seed=seed, mitigation=mitigation, method="density"
        )
        found = backend.estimator().run([pub]).result()[0]
        error = found.data.evs - expected
        errors.append(float(np.sqrt(np.mean(error**2))))
        biases.append(float(np.mean(error * np.sign(expected))))
        chi2.append(float(np.mean(error**2) / np.mean(found.data.stds**2)))
    log(f"{label}, {mitigation}: rms {_shown(errors)}, bias {_shown(biases, '+')}")
    return {
        "machine": label,
        "mitigation": mitigation,
        "rms": errors,
        "bias": biases,
        "chi2": chi2,
        "executions": found.metadata["executions"],
        "calibration_executions": found.metadata.get("calibration_executions", 0),
        "seconds": time.perf_counter() - started,
    }


def interval(values: list[float]) -> tuple[float, float]:
    """A mean and the half of its 95 % interval, Student's."""
    import numpy as np
    from scipy.stats import t

    count = len(values)
    half = t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count)
    return float(np.mean(values)), float(half)


def render(results: Results) -> str:
    """A table per machine: rms without and with twirling, and the paired difference."""
    rows = {(row["machine"], row["mitigation"]): row for row in results["rows"]}
    lines = []
    for machine in dict.fromkeys(row["machine"] for row in results["rows"]):
        lines += [f"| {machine} | without | with twirling | difference | χ² with |"]
        lines += ["|---|---|---|---|---|"]
        for plain, twirled in results["pairs"]:
            one, other = rows[machine, plain], rows[machine, twirled]
            change = [b - a for a, b in zip(one["rms"], other["rms"], strict=True)]
            cells = [_shown(one["rms"]), _shown(other["rms"]), _shown(change, sign="+")]
            chi2 = sum(other["chi2"]) / len(other["chi2"])
            lines += [f"| `{plain}` | {' | '.join(cells)} | {chi2:.2f} |"]
        lines += [""]
    return "\n".join(lines)


def _shown(values: list[float], sign: str = "") -> str:
    mean, half = interval(values)
    return f"{mean:{sign}.4f} [{mean - half:{sign}.4f}, {mean + half:{sign}.4f}]"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, for the tests")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--shots", type=int, default=4096)
    parser.add_argument("--json", type=Path, help="store all numbers there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
