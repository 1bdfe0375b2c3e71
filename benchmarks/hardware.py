r"""What rows on tiles of a device save, and what they cost in accuracy.

    python benchmarks/hardware.py [--smoke] [--shots N] [--rows N] [--devices NAMES] [--json PATH]

The circuit is that of a PAQM block (amplitude encoding of 4 qubits, positions, two layers) with
random parameter values. Each line is one way of running the same rows with the same shots: as today
("none"), on the best place alone ("1"), and on more tiles. Executions and QPU seconds are the
preflight's; the executed ones are counted beside them. "rms" is the error of ⟨Z⟩ against the
statevector, "noise" that of exact values under noise in the same places (no shots), and "χ²" the
mean square of a value's distance from these in units of its stated error. Tables go to the standard
output, progress to standard error.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from command import log, machine, positive, store, version_of
from mitigation import Case

PACKAGES = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq", "torch")
DEVICES = ("fake_kingston", "fake_torino", "fake_fez")
MITIGATIONS = ("none", "readout", "readout+zne", "readout+cdr")
TILES: tuple[dict[str, Any], ...] = (
    {},
    {"tiles": 1},
    {"tiles": "auto"},
    {"tiles": "auto", "tile_factor": 2.0},
    {"tiles": 16},
)
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    case = Case(2 if options.smoke else 4, 6 if options.smoke else options.rows)
    shots = 100 if options.smoke else options.shots
    devices = options.devices.split(",") if not options.smoke else ["fake_kingston"]
    mitigations = MITIGATIONS[:1] if options.smoke else MITIGATIONS
    choices = TILES[:3] if options.smoke else TILES
    results: Results = {
        "format": 1,
        "machine": machine(),
        "versions": {name: version_of(name) for name in PACKAGES},
        "shots": shots,
        "rows": len(case.values),
        "lines": [
            _measured(case, device, mitigation, chosen, shots)
            for device in devices
            for mitigation in mitigations
            for chosen in choices
        ],
    }
    print(render(results), end="")
    store(results, options.json)


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
    """The sampled values against exact ones under noise, each where it was measured."""
    import numpy as np
    from qiskit.primitives.containers.estimator_pub import EstimatorPub

    from qvlm_qiskit.backends import open_backend
    from qvlm_qiskit.backends.pubs.strands import flat_values

    exact = open_backend(f"noisy:{device}", precision=0).device
    truth = np.empty_like(case.exact)
    (call,) = _device_calls(case, backend)
    for pub in call.pubs:
        own = EstimatorPub(pub.circuit, pub.observables, pub.parameter_values, 0.0)
        evs = exact.run([own]).result()[0].data.evs
        for row, column in zip(flat_values(pub), np.moveaxis(evs, -1, 0), strict=True):
            truth[:, _row_of(row, case.values)] = column
    pulls = (result.data.evs - truth) / result.data.stds
    return {
        "noise_rms": float(np.sqrt(np.mean((truth - case.exact) ** 2))),
        "chi_square": float(np.mean(pulls**2)),
    }


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
        f"{'device':<15}{'mitigation':<13}{'tiles':>11}{'used':>5}{'planned':>10}{'executed':>10}"
        f"{'QPU s':>8}{'rms':>8}{'noise':>8}{'chi2':>6}{'wall s':>8}"
    )
    for line in results["lines"]:
        tiles = str(line["tiles"]) + (f" ({line['factor']:g})" if line["factor"] else "")
        noise = f"{line['noise_rms']:8.4f}" if "noise_rms" in line else " " * 8
        chi = f"{line['chi_square']:6.2f}" if "chi_square" in line else " " * 6
        text.append(
            f"{line['device']:<15}{line['mitigation']:<13}{tiles:>11}{line['used']:>5}"
            f"{line['planned']:>10,}{line['executed']:>10,}{line['qpu_seconds'] or 0:>8.1f}"
            f"{line['rms']:8.4f}{noise}{chi}{line['seconds']:8.1f}"
        )
    return "\n".join(text) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="small circuit, few rows: a check")
    parser.add_argument("--shots", type=positive, default=1000)
    parser.add_argument("--rows", type=positive, default=200)
    parser.add_argument("--devices", default=",".join(DEVICES), help="fake devices, by commas")
    parser.add_argument("--json", type=Path, help="store the results there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
