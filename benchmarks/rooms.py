"""Count the rooms that a row visits while it is bought, and the modules in them.

    python benchmarks/rooms.py

A quantum layer asks a noisy simulator behind a new ledger for one row. Every function of this
package that is called on the way counts for its module. A room is a module or a folder that lies
directly in backends, jobs, noise_models, quantum ("jobs/ledger", "jobs/recorded.py"), or in
qvlm_qiskit itself ("basics").
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import qvlm_qiskit

PACKAGE = "qvlm_qiskit"
WINGS = ("backends", "jobs", "noise_models", "quantum")


def room(module: str) -> str:
    """Where a module lies, as far as a reader has to look for it."""
    parts = module.split(".")[1:]
    return "/".join(parts[:2]) if parts[0] in WINGS else parts[0]


def visited(function: Any) -> set[str]:
    """Names of this package's modules whose functions run inside a call."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            seen.add(frame.f_globals.get("__name__", ""))

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return {name for name in seen if name.startswith(f"{PACKAGE}.")}


def main() -> None:
    """Print the counts and the rooms."""
    import torch
    from qiskit.circuit import ParameterVector, QuantumCircuit

    from qvlm_qiskit import QuantumLayer, open_backend
    from qvlm_qiskit.jobs import JobStore, recorded_backend
    from qvlm_qiskit.quantum import make_qnn

    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    for qubit in range(2):
        circuit.ry(x[qubit], qubit)
        circuit.rx(w[qubit], qubit)
    circuit.cx(0, 1)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w)))
    with tempfile.TemporaryDirectory() as folder:
        store = JobStore(Path(folder) / "jobs")
        machine = open_backend("noisy:fake_manila", shots=100, seed=0)
        layer.run_on(recorded_backend(machine, store))
        modules = visited(lambda: layer(torch.rand(1, 2)))
    rooms = sorted({room(name) for name in modules})
    print(f"{PACKAGE} {qvlm_qiskit.__version__}: {len(modules)} modules in {len(rooms)} rooms")
    for name in rooms:
        inside = sorted(m for m in modules if room(m) == name)
        print(f"  {name:<28} {', '.join(m.rsplit('.', 1)[-1] for m in inside)}")


if __name__ == "__main__":
    main()
