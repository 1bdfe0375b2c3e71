r"""What rows on tiles of a device save, and what they cost in accuracy.

    python benchmarks/hardware.py [--smoke] [--shots N] [--rows N] [--devices NAMES] [--run FOLDER]
                                  [--json PATH]

The circuit is that of a PAQM block (amplitude encoding of 4 qubits, positions, two layers) with
random parameter values. Each line is one way of running the same rows with the same shots: as today
("none"), on the best place alone ("1"), and on more tiles. Executions and QPU seconds are the
preflight's; the executed ones are counted beside them. "rms" is the error of ⟨Z⟩ against the
statevector, "noise" that of exact values under noise in the same places (no shots), and "χ²" the
mean square of a value's distance from these in units of its stated error; with repeated rows, of
its distance from the mean over the tiles. In the lines with crosstalk "noise" is that of a tile
alone, so that χ² shows what the others do to it. With --run, questions are asked of a trained run,
without and with tiles. Tables go to the standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from command import log, machine, positive, store, version_of
from mitigation import Case

PACKAGES = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq", "torch")
DEVICES = ("fake_kingston", "fake_torino", "fake_fez")
MITIGATIONS = ("readout", "readout+zne", "readout+cdr")
CROSSTALK = "+zz(0.02)"
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
    {"tiles": "auto"},
    {"tiles": 12, "tile_spacing": 0},
)
Line = tuple[str, str, dict[str, Any]]
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    case = Case(2 if options.smoke else 4, 6 if options.smoke else options.rows)
    shots = 100 if options.smoke else options.shots
    devices = options.devices.split(",") if not options.smoke else ["fake_kingston"]
    results: Results = {
        "format": 2,
        "machine": machine(),
        "versions": {name: version_of(name) for name in PACKAGES},
        "shots": shots,
        "rows": len(case.values),
        "lines": [_measured(case, *line, shots) for line in _lines(devices, smoke=options.smoke)],
        "answers": [] if options.run is None else _answers(options.run, shots),
    }
    print(render(results), end="")
    store(results, options.json)


def _lines(devices: list[str], *, smoke: bool) -> list[Line]:
    """Device, mitigation and tiles of every line."""
    if smoke:
        return [(devices[0], "none", chosen) for chosen in TILES[:3]]
    plain = [(device, "none", chosen) for device in devices for chosen in TILES]
    crossed = [(devices[0] + CROSSTALK, "none", chosen) for chosen in TOUCHING]
    mitigated = [
        (device, name, chosen) for device in devices for name in MITIGATIONS for chosen in MITIGATED
    ]
    return plain + crossed + mitigated


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


def _measured(
    case: Case, device: str, mitigation: str, chosen: dict[str, Any], shots: int
) -> Results:
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    log(f"{device}, {mitigation}, {chosen}")
    backend = open_backend(f"noisy:{device}", shots=shots, seed=1, mitigation=mitigation, **chosen)
    circuit, observables, values = case.pub
    subject = {"paqm": (circuit, observables)}
    planned = backend.preflight(subject, len(values), mitigations=[mitigation]).levels[0]
    started = time.perf_counter()
    result = backend.estimator().run([case.pub]).result()[0]
    seconds = time.perf_counter() - started
    about = result.metadata
    line: Results = {
        "device": device,
        "mitigation": mitigation,
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
        **line,
        **(_against_noise(case, backend, device, result) if mitigation == "none" else {}),
    }


def _against_noise(case: Case, backend: Any, device: str, result: Any) -> Results:
    """The sampled values against exact ones under noise."""
    import numpy as np

    from qvlm_qiskit.backends import open_backend

    exact = open_backend(f"noisy:{device}", precision=0).device
    (call,) = _device_calls(case, backend)
    wanted = _mean_of_tiles if backend.options.tile_repeats else _on_own_tiles
    truth = wanted(case, exact, call.pubs)
    pulls = (result.data.evs - truth) / result.data.stds
    return {
        "noise_rms": float(np.sqrt(np.mean((truth - case.exact) ** 2))),
        "chi_square": float(np.mean(pulls**2)),
    }


def _on_own_tiles(case: Case, exact: Any, pubs: Any) -> Any:
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


def _mean_of_tiles(case: Case, exact: Any, pubs: Any) -> Any:
    """Each row on every tile."""
    import numpy as np

    asked = [(pub.circuit, pub.observables, case.values, 0.0) for pub in pubs]
    return np.mean([answer.data.evs for answer in exact.run(asked).result()], axis=0)


def _device_calls(case: Case, backend: Any) -> list[Any]:
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
    text = [f"{results['rows']} rows, {results['shots']} shots", ""]
    text.append(
        f"{'device':<23}{'mitigation':<13}{'tiles':>19}{'used':>5}{'planned':>10}{'executed':>10}"
        f"{'QPU s':>8}{'rms':>8}{'noise':>8}{'chi2':>6}{'wall s':>8}"
    )
    for line in results["lines"]:
        noise = f"{line['noise_rms']:8.4f}" if "noise_rms" in line else " " * 8
        chi = f"{line['chi_square']:6.2f}" if "chi_square" in line else " " * 6
        text.append(
            f"{line['device']:<23}{line['mitigation']:<13}{_tiles(line):>19}{line['used']:>5}"
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
