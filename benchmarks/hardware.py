r"""What rows on tiles of a device save, and what they cost in accuracy.

    python benchmarks/hardware.py [--smoke] [--shots N] [--rows N] [--devices NAMES] [--run FOLDER]
                                  [--json PATH]

The circuit is that of a PAQM block (amplitude encoding of 4 qubits, positions, two layers) with
random parameter values. Each line is one way of running the same rows with the same shots: as today
("none"), on the best place alone ("1"), and on more tiles. Executions and QPU seconds are the
preflight's; the executed ones are counted beside them. "rms" is the error of ⟨Z⟩ against the
statevector, "noise" that of exact values under noise in the same places (no shots), and "χ²" the
mean square of a value's distance from these in units of its stated error; with repeated rows, of
its distance from the mean over the tiles. The lines with crosstalk are chains of 4 qubits with
complex amplitudes on a line of 13 qubits of fake_kingston, where tiles can lie next to each
other; "noise" is that of a tile alone, so that χ² shows what the others do to it. With --run,
questions are asked of a trained run, without and with tiles. Tables go to the standard output,
progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import log, machine, positive, store, version_of
from mitigation import Case

PACKAGES = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq", "torch")
DEVICES = ("fake_kingston", "fake_torino", "fake_fez")
MITIGATIONS = ("readout", "readout+zne", "readout+cdr")
CROSSTALK = ("", "+zz(0.02)", "+zz(0.1)")
LINE = range(62, 75)
"""Qubits of fake_kingston in a row: the best two places of a chain touch, two others don't."""
CHAIN_SHOTS, CHAIN_ROWS, CHAIN_LAYERS = 20_000, 60, 8
TILES: tuple[dict[str, Any], ...] = (
    {},
    {"tiles": 1},
    {"tiles": "auto"},
    {"tiles": "auto", "tile_factor": 1.25},
    {"tiles": "auto", "tile_repeats": 8},
    {"tiles": 16},
)
MITIGATED: tuple[dict[str, Any], ...] = ({}, {"tiles": "auto"})
TOUCHING: tuple[dict[str, Any], ...] = (
    {"tiles": 1},
    {"tiles": 2, "tile_spacing": 0},
    {"tiles": "auto", "tile_factor": 3, "tile_spacing": 0},
    {"tiles": "auto", "tile_factor": 3},
)
Results = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A way of running some rows.

    Attributes:
        device: What is printed as the device.
        mitigation: Its name.
        tiles: The options of tiles.
        case: Circuit and rows.
        shots: For each circuit.
        noise: What is opened after ``noisy:``; by default the device.
    """

    device: str
    mitigation: str
    tiles: dict[str, Any]
    case: Any
    shots: int
    noise: str | None = None


class Chain:
    """Rows of a chain of qubits with complex amplitudes, which a phase at its end changes.

    Real amplitudes have no ⟨Y⟩, and crosstalk with a neighbour would change ⟨Z⟩ in second order.
    """

    def __init__(self, layers: int, rows: int) -> None:
        import numpy as np
        from qiskit.circuit.library import efficient_su2

        from qvlm_qiskit.backends import open_backend

        circuit = efficient_su2(4, entanglement="linear", reps=layers)
        self.values = np.random.default_rng(0).uniform(-3, 3, (rows, circuit.num_parameters))
        self.pub = circuit, [["ZIII"], ["IZII"], ["IIZI"], ["IIIZ"]], self.values
        self.exact = open_backend("statevector").estimator().run([self.pub]).result()[0].data.evs


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    case = Case(2 if options.smoke else 4, 6 if options.smoke else options.rows)
    shots = 100 if options.smoke else options.shots
    devices = options.devices.split(",") if not options.smoke else ["fake_kingston"]
    with tempfile.TemporaryDirectory() as folder:
        lines = _lines(devices, case, shots, smoke=options.smoke)
        lines += _chains(Path(folder) / "line.json", smoke=options.smoke)
        measured = [_measured(line) for line in lines]
    results: Results = {
        "format": 3,
        "machine": machine(),
        "versions": {name: version_of(name) for name in PACKAGES},
        "shots": shots,
        "rows": len(case.values),
        "lines": measured,
        "answers": [] if options.run is None else _answers(options.run, shots),
    }
    print(render(results), end="")
    store(results, options.json)


def _lines(devices: list[str], case: Case, shots: int, *, smoke: bool) -> list[Line]:
    """A PAQM block's rows on every device, without and with mitigation."""
    if smoke:
        return [Line(devices[0], "none", chosen, case, shots) for chosen in TILES[:3]]
    plain = [(device, "none", chosen) for device in devices for chosen in TILES]
    mitigated = [
        (device, name, chosen) for device in devices for name in MITIGATIONS for chosen in MITIGATED
    ]
    return [Line(*line, case, shots) for line in plain + mitigated]


def _chains(place: Path, *, smoke: bool) -> list[Line]:
    """A chain's rows on a line of qubits, where tiles can touch, without and with crosstalk."""
    from qvlm_qiskit.backends.devices.fake_devices import fake_device
    from qvlm_qiskit.noise_models import restricted, snapshot

    restricted(snapshot(fake_device("fake_kingston")), LINE).save(place)
    rows, shots = (4, 100) if smoke else (CHAIN_ROWS, CHAIN_SHOTS)
    case = Chain(1 if smoke else CHAIN_LAYERS, rows)
    return [
        Line(f"line of {len(LINE)}{noise}", "none", chosen, case, shots, f"{place}{noise}")
        for noise in (CROSSTALK[1:2] if smoke else CROSSTALK)
        for chosen in TOUCHING
    ]


def _answers(run: Path, shots: int) -> list[Results]:
    """What a trained run answers without and with tiles."""
    found = []
    for tiles in ("none", "auto"):
        log(f"{run}, tiles {tiles}")
        command = [
            sys.executable, "-m", "qvlm_qiskit", "evaluate", str(run), "--tiles", tiles,
            "--backend", "noisy:fake_kingston", "--shots", str(shots), "--seed", "1", "--json",
        ]  # fmt: skip
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        keys = ("correct", "total", "accuracy", "low", "high", "seconds")
        found.append({"tiles": tiles, **{key: said[key] for key in keys}})
    return found


def _measured(line: Line) -> Results:
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    case, mitigation, chosen = line.case, line.mitigation, line.tiles
    log(f"{line.device}, {mitigation}, {chosen}")
    noise = f"noisy:{line.noise or line.device}"
    backend = open_backend(noise, shots=line.shots, seed=1, mitigation=mitigation, **chosen)
    circuit, observables, values = case.pub
    subject = {"paqm": (circuit, observables)}
    planned = backend.preflight(subject, len(values), mitigations=[mitigation]).levels[0]
    started = time.perf_counter()
    result = backend.estimator().run([case.pub]).result()[0]
    seconds = time.perf_counter() - started
    about = result.metadata
    found: Results = {
        "device": line.device,
        "mitigation": mitigation,
        "shots": line.shots,
        "tiles": chosen.get("tiles", "none"),
        "factor": chosen.get("tile_factor"),
        "spacing": chosen.get("tile_spacing"),
        "repeats": chosen.get("tile_repeats"),
        "used": len(about.get("tiles", [0])),
        "jobs": planned.jobs,
        "planned": planned.executions,
        "executed": about["executions"] + (about.get("calibration_executions") or 0),
        "qpu_seconds": planned.seconds_qpu,
        "rms": float(np.sqrt(np.mean((result.data.evs - case.exact) ** 2))),
        "seconds": seconds,
    }
    return {
        **found,
        **(_against_noise(case, backend, noise, result) if mitigation == "none" else {}),
    }


def _against_noise(case: Any, backend: Any, noise: str, result: Any) -> Results:
    """The sampled values against exact ones under noise."""
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    exact = open_backend(noise, precision=0).device
    (call,) = _device_calls(case, backend)
    wanted = _mean_of_tiles if backend.options.tile_repeats else _on_own_tiles
    truth = wanted(case, exact, call.pubs)
    pulls = (result.data.evs - truth) / result.data.stds
    return {
        "noise_rms": float(np.sqrt(np.mean((truth - case.exact) ** 2))),
        "chi_square": float(np.mean(pulls**2)),
    }


def _on_own_tiles(case: Any, exact: Any, pubs: Any) -> Any:
    """Each row where it was measured."""
    import numpy as np

    from qvlm_qiskit.backends.pubs.strands import flat_values

    truth = np.empty_like(case.exact)
    for pub in pubs:
        evs = exact.run([(pub.circuit, pub.observables, pub.parameter_values, 0.0)])
        columns = np.moveaxis(evs.result()[0].data.evs, -1, 0)
        for row, column in zip(flat_values(pub), columns, strict=True):
            truth[:, _row_of(row, case.values)] = column
    return truth


def _mean_of_tiles(case: Any, exact: Any, pubs: Any) -> Any:
    """Each row on every tile."""
    import numpy as np

    asked = [(pub.circuit, pub.observables, case.values, 0.0) for pub in pubs]
    return np.mean([answer.data.evs for answer in exact.run(asked).result()], axis=0)


def _device_calls(case: Any, backend: Any) -> list[Any]:
    """What reaches the device, with every row where it runs."""
    from qiskit.primitives.containers.estimator_pub import EstimatorPub

    from qvlm_qiskit.backends.pubs.stack import to_device
    from qvlm_qiskit.backends.pubs.work import Call

    calls: Any = [Call((EstimatorPub.coerce(case.pub),))]
    for layer in to_device(backend.estimator())[0]:
        calls = layer.plan(calls)
    return list(calls)


def _row_of(row: Any, values: Any) -> int:
    import numpy as np

    return int(np.abs(values - row).max(axis=1).argmin())


def render(results: Results) -> str:
    """The tables as text."""
    text = [
        f"{results['rows']} rows, {results['shots']} shots; on the line {CHAIN_ROWS} rows, "
        f"{CHAIN_SHOTS} shots",
        "",
    ]
    text.append(
        f"{'device':<23}{'mitigation':<13}{'tiles':>28}{'used':>5}{'planned':>10}{'executed':>10}"
        f"{'QPU s':>8}{'rms':>8}{'noise':>8}{'chi2':>6}{'wall s':>8}"
    )
    for line in results["lines"]:
        noise = f"{line['noise_rms']:8.4f}" if "noise_rms" in line else " " * 8
        chi = f"{line['chi_square']:6.2f}" if "chi_square" in line else " " * 6
        text.append(
            f"{line['device']:<23}{line['mitigation']:<13}{_tiles(line):>28}{line['used']:>5}"
            f"{line['planned']:>10,}{line['executed']:>10,}{line['qpu_seconds'] or 0:>8.1f}"
            f"{line['rms']:8.4f}{noise}{chi}{line['seconds']:8.1f}"
        )
    for answer in results["answers"]:
        text.append(
            f"answers of a run, tiles {answer['tiles']}: {answer['correct']} of {answer['total']} "
            f"right, {answer['accuracy']:.1%} ({answer['low']:.1%} to {answer['high']:.1%})"
        )
    return "\n".join(text) + "\n"


def _tiles(line: Results) -> str:
    said = {"factor": line["factor"], "spacing": line["spacing"], "repeats": line["repeats"]}
    named = [f"{name} {value:g}" for name, value in said.items() if value is not None]
    return str(line["tiles"]) + (f", {', '.join(named)}" if named else "")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="small circuit, few rows: a check")
    parser.add_argument("--shots", type=positive, default=1000)
    parser.add_argument("--rows", type=positive, default=200)
    parser.add_argument("--devices", default=",".join(DEVICES), help="fake devices, by commas")
    parser.add_argument("--run", type=Path, help="a trained run that answers questions, too")
    parser.add_argument("--json", type=Path, help="store the results there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
