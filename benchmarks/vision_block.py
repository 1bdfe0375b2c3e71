r"""What each encoding of the vision block costs: parameters, gates, and time beside its twin.

    python benchmarks/vision_block.py [--smoke] [--threads N] [--rounds N] [--json PATH]

Every block has two variational layers. One of 4 qubits gets the patches of 64 small images (256
rows of width 64), one of 12 qubits those of one image of the source's size (196 rows of width 768).
Times are medians of a forward and a backward pass of the whole block, linear maps included, in
turns with its classical twin. Two-qubit gates are those of the circuit as written, before routing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from command import begin, log, positive, store
from timing import interleave, thread_environment

PACKAGES = ("torch", "numpy", "numba", "qiskit")
FORMS: tuple[dict[str, Any], ...] = (
    {"encoding": "amplitude"},
    {"encoding": "amplitude", "pooling": 1},
    {"encoding": "angle"},
    {"encoding": "angle", "pooling": 1},
    {"encoding": "re-upload"},
    {"encoding": "re-upload", "pooling": 1},
    {"encoding": "mps"},
    {"encoding": "mps", "pooling": 1},
    {"encoding": "mps", "bond": 4},
)
SIZES = {4: (256, 64), 12: (196, 768)}
"""Qubits → rows and width."""
Results = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    os.environ.update(thread_environment(options.threads))
    sizes = {2: (4, 8)} if options.smoke else SIZES
    forms = [form for form in FORMS if not options.smoke or form.get("bond") != 4]
    results: Results = {**begin(options, PACKAGES), "rows": []}
    for num_qubits in sizes:
        for form in forms:
            log(f"{num_qubits} qubits, {form}")
            rounds, seconds = (1, 0.01) if options.smoke else (options.rounds, 0.3)
            row = measured(num_qubits, form, *sizes[num_qubits], rounds, seconds)
            results["rows"].append(row)
    results["machine"]["load_after"] = os.getloadavg()[0]
    print(render(results), end="")
    store(results, options.json)


def measured(
    num_qubits: int, form: dict[str, Any], rows: int, width: int, rounds: int, seconds: float
) -> Results:
    """One line of the table."""
    import torch

    blocks = {kind: built(num_qubits, form, width, kind) for kind in ("quantum", "classical")}
    patches = torch.randn(1, rows, width, generator=torch.Generator().manual_seed(0))

    def call(block: Any) -> None:
        block(patches).sum().backward()

    calls = {kind: lambda block=block: call(block) for kind, block in blocks.items()}
    times = interleave(calls, rounds, seconds)
    return {
        **facts(num_qubits, form, width),
        "rows": rows,
        **{f"{kind}_ms": times[kind]["median"] for kind in blocks},
    }


def built(num_qubits: int, form: dict[str, Any], width: int, kind: str = "quantum") -> Any:
    """A vision block."""
    from qvlm_qiskit.blocks import build_block

    options = {"num_qubits": num_qubits, "num_layers": 2, "kind": kind, **form}
    return build_block("qcnn", width, options)


def facts(num_qubits: int, form: dict[str, Any], width: int) -> Results:
    """What does not depend on the machine."""
    block = built(num_qubits, form, width)
    (layer,) = block.layers.values()
    written = layer.neural_network.circuit.decompose("amplitude_encoding")
    return {
        "num_qubits": num_qubits,
        "width": width,
        "form": form,
        "features": block.core.shape.features,
        "outputs": block.core.shape.outputs,
        "two_qubit_gates": written.num_nonlocal_gates(),
        "circuit_parameters": sum(p.numel() for p in block.circuit_parameters()),
        "parameters": sum(p.numel() for p in block.parameters()),
    }


def render(results: Results) -> str:
    """The table in plain columns."""
    head = ("block", "2q gates", "circuit", "block", "ms", "twin ms")
    lines = [f"{head[0]:<42}" + "".join(f"{name:>11}" for name in head[1:])]
    for row in results["rows"]:
        said = ",".join(f"{key}={value}" for key, value in row["form"].items())
        cells = (
            f"{row['two_qubit_gates']:,}",
            f"{row['circuit_parameters']:,}",
            f"{row['parameters']:,}",
            f"{row['quantum_ms']:.2f}",
            f"{row['classical_ms']:.2f}",
        )
        name = f"{row['num_qubits']} qubits, {said}"
        lines.append(f"{name:<42}" + "".join(f"{cell:>11}" for cell in cells))
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the vision block's encodings.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--threads", type=positive, default=1, help="default 1")
    parser.add_argument("--rounds", type=positive, default=7, help="turns per block; default 7")
    parser.add_argument("--json", type=Path, default=None, help="where to store the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
