r"""Learned noise with and without twirling, where errors of two-qubit gates are coherent.

    python benchmarks/twirling.py [--smoke] [--machine NAME] [--seeds 0,1,…] [--json PATH]

The machines are fake_kingston with every cz turned further by 3 % of its angle ("turned"), and
with crosstalk ("crosstalk", ``+zz(0.05)``). Two qubits, six layers of random angles and a cz, eight
rows of four observables, 4,096 shots. The layer is learned once, twirled by 4 circuits and not
twirled; every seed then has angles, samples and random circuits (16 twirled ones) of its own, all
techniques of a seed the same angles. Printed are the rms errors of the values and the paired
differences that twirling makes, with 95 % intervals over the seeds. Tables go to the standard
output, progress to standard error.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from command import log, store, version_of

DEVICE = "fake_kingston"
MACHINES = ("turned", "crosstalk")
LEARNING_TWIRLS, TWIRLS, SHOTS = 4, 16, 4096
PACKAGES = ("numpy", "qiskit", "scipy", "torch")
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    names = MACHINES if options.machine is None else (options.machine,)
    with tempfile.TemporaryDirectory() as folder:
        measured = [_machine(name, Path(folder), options) for name in names]
    results: Results = {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "shots": SHOTS,
        "seeds": options.seeds,
        "versions": {name: version_of(name) for name in PACKAGES},
        "machines": measured,
    }
    print(render(results), end="")
    store(results, options.json)


def backend_name(machine: str, folder: Path) -> str:
    """What `open_backend` calls a machine; one is a file in the folder."""
    from dataclasses import replace

    from qvlm_qiskit.backends import open_noise
    from qvlm_qiskit.noise_models import OverRotation

    if machine == "crosstalk":
        return f"noisy:{DEVICE}+zz(0.05)"
    turned = replace(open_noise(DEVICE), sources=(OverRotation(("cz",), 0.03),))
    turned.save(folder / "turned.json")
    return f"noisy:{folder / 'turned.json'}"


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


class Bench:
    """A machine with one seed: its device, and the compiled circuit."""

    def __init__(self, name: str, seed: int) -> None:
        """Open it."""
        from qvlm_qiskit.backends import open_backend
        from qvlm_qiskit.backends.mitigation import MitigatedDevice

        backend = open_backend(name, shots=SHOTS, seed=seed, method="density")
        self.seed, self.target = seed, backend.compiler.target
        self.device = backend.estimator().inner
        self.about = MitigatedDevice(self.target, None, seed, "noisy", "2026")
        self.compiled = backend.compile(pair(), [["ZI"], ["IZ"], ["ZZ"], ["XI"]])

    def ways(self, circuits: int) -> dict[str, Any]:
        """The device as it is, and twirled."""
        from qvlm_qiskit.backends.mitigation import PauliTwirled

        twirled = PauliTwirled(self.device, self.target, circuits, self.seed)
        return {"without": self.device, "twirled": twirled}

    def learned(self, circuits: int) -> dict[str, Any]:
        """What is learned of the layer in each way."""
        from qvlm_qiskit.backends.mitigation.layer_learner import LayerLearner

        found = {}
        for way, inner in self.ways(circuits).items():
            learner = LayerLearner(inner, self.about, 10**7, 8, "pec")
            learner.learn([self.compiled.circuit])
            found[way] = learner.known
        return found

    def errors(self, known: dict[str, Any], circuits: int, rows: int) -> list[Results]:
        """Errors of every technique in each way, for angles that the seed draws."""
        import numpy as np

        from qvlm_qiskit.backends import open_backend
        from qvlm_qiskit.backends.mitigation import ReadoutMitigated
        from qvlm_qiskit.backends.mitigation.techniques.pea import NoiseAmplified, Pea
        from qvlm_qiskit.backends.mitigation.techniques.pec import LearnedErrorCancelled, Pec

        shape = rows, self.compiled.circuit.num_parameters
        values = np.random.default_rng(self.seed).uniform(-np.pi, np.pi, shape)
        exact = open_backend("statevector", dtype="complex128").estimator()
        observables = [["ZI"], ["IZ"], ["ZZ"], ["XI"]]
        expected = exact.run([(pair(), observables, values)]).result()[0].data.evs
        pub = self.compiled.circuit, self.compiled.observables, values, SHOTS**-0.5
        found = []
        for way, inner in self.ways(circuits).items():
            readout = ReadoutMitigated(inner, self.target)
            pec = LearnedErrorCancelled(readout, self.about, Pec(model="learned"))
            pea = NoiseAmplified(readout, self.about, Pea())
            for name, estimator in (("readout", readout), ("pec", pec), ("pea", pea)):
                if name != "readout":
                    estimator.learner.known.update(known[way])
                data = estimator.run([pub]).result()[0].data
                error = data.evs - expected
                found.append(
                    {
                        "technique": name,
                        "way": way,
                        "seed": self.seed,
                        "rms": float(np.sqrt(np.mean(error**2))),
                        "bias": float(np.mean(error * np.sign(expected))),
                        "chi2": float(np.mean(error**2) / np.mean(data.stds**2)),
                    }
                )
        return found


def _machine(machine: str, folder: Path, options: argparse.Namespace) -> Results:
    """All that is measured of a machine."""
    import numpy as np

    name, smoke = backend_name(machine, folder), options.smoke
    known = Bench(name, 0).learned(2 if smoke else LEARNING_TWIRLS)
    layers = [
        {
            "way": way,
            "layer": str(layer),
            "rate": float(one.rates.sum()),
            "standard_error": float(np.sqrt((one.stds**2).sum())),
            "chi2": one.chi2,
        }
        for way, learned in known.items()
        for layer, one in learned.items()
    ]
    log(f"{machine}: learned")
    rows = []
    for seed in options.seeds:
        rows += Bench(name, seed).errors(known, 2 if smoke else TWIRLS, 2 if smoke else 8)
        log(f"{machine}, seed {seed}: " + ", ".join(f"{r['rms']:.4f}" for r in rows[-6:]))
    return {"machine": machine, "layers": layers, "rows": rows}


def interval(values: list[float]) -> tuple[float, float]:
    """A mean and the half of its 95 % interval, Student's."""
    import numpy as np
    from scipy.stats import t

    count = len(values)
    half = t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count)
    return float(np.mean(values)), float(half)


def render(results: Results) -> str:
    """A table per machine: what was learned; rms without and with twirling, and the difference."""
    lines = []
    for found in results["machines"]:
        for one in found["layers"]:
            lines.append(
                f"{found['machine']}, {one['way']}: {one['layer']} Σλ {one['rate']:.5f} ± "
                f"{one['standard_error']:.5f}, χ² of decays {one['chi2']:.1f}"
            )
        lines += ["", f"| {found['machine']} | without | twirled | difference | χ² of both |"]
        lines += ["|---|---|---|---|---|"]
        for name in ("readout", "pec", "pea"):
            cells = {
                way: [r for r in found["rows"] if (r["technique"], r["way"]) == (name, way)]
                for way in ("without", "twirled")
            }
            rms = {way: [r["rms"] for r in rows] for way, rows in cells.items()}
            change = [b - a for a, b in zip(rms["without"], rms["twirled"], strict=True)]
            chi2 = [sum(r["chi2"] for r in rows) / len(rows) for rows in cells.values()]
            shown = [_shown(rms["without"]), _shown(rms["twirled"]), _shown(change, "+")]
            lines += [f"| `{name}` | {' | '.join(shown)} | {chi2[0]:.1f}, {chi2[1]:.1f} |"]
        lines += [""]
    return "\n".join(lines)


def _shown(values: list[float], sign: str = "") -> str:
    mean, half = interval(values)
    return f"{mean:{sign}.4f} [{mean - half:{sign}.4f}, {mean + half:{sign}.4f}]"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, for the tests")
    parser.add_argument("--machine", choices=MACHINES, help="one of the machines; by default both")
    parser.add_argument("--seeds", type=_numbers, default=list(range(6)), help="such as 0,1,2")
    parser.add_argument("--json", type=Path, help="store all numbers there")
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
