r"""What every model of the block zoo costs: numbers, rows, gates, and time beside its twin.

    python benchmarks/blocks.py [--smoke] [--threads N] [--rounds N] [--json PATH]

A line for each registered model, at its default sizes, with a batch of 64 samples (8 of tokens):
medians of a forward and a backward pass, through weights and inputs, in turns with the classical
twin and, where there is one, with the model's formula in plain torch, written without this package.
Goals: three times plain torch, otherwise ten times the twin. Two-qubit gates are those of a
circuit as written, before routing; a Hamiltonian's evolution is counted as one gate of all its
qubits.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import begin, log, positive, store
from timing import interleave, thread_environment

PACKAGES = ("torch", "numpy", "numba", "qiskit")
SAMPLES = {1: 64, 2: 8, 3: 64}
"""Dimensions of a sample → samples of a batch."""
Results = dict[str, Any]
Part = Callable[[Any], Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    os.environ.update(thread_environment(options.threads))
    from qvlm_qiskit.blocks.zoo import zoo_names

    results: Results = {**begin(options, PACKAGES), "rows": []}
    for name in zoo_names():
        log(name)
        rounds, seconds = (1, 0.01) if options.smoke else (options.rounds, 0.3)
        results["rows"].append(measured(name, rounds, seconds))
    results["machine"]["load_after"] = os.getloadavg()[0]
    print(render(results), end="")
    store(results, options.json)


def measured(name: str, rounds: int, seconds: float) -> Results:
    """One line of the table."""
    import torch

    from qvlm_qiskit.blocks.zoo import build

    torch.manual_seed(0)
    core = build(name)
    parts: dict[str, Part] = {"quantum": core, "classical": build(name, kind="classical")}
    shape = [16 if side is None else side for side in core.sizes.inputs]
    samples = torch.rand(SAMPLES[len(shape)], *shape).requires_grad_()
    if name in PLAIN:
        parts["plain"] = PLAIN[name](core)
        torch.testing.assert_close(parts["plain"](samples), core(samples), rtol=0, atol=1e-3)
    calls = {kind: lambda part=part: _both_ways(part, samples) for kind, part in parts.items()}
    times = interleave(calls, rounds, seconds)
    return {**facts(core), "name": name, **{f"{k}_ms": times[k]["median"] for k in parts}}


def _both_ways(part: Part, samples: Any) -> None:
    part(samples).square().sum().backward()


def facts(core: Any) -> Results:
    """What does not depend on the machine."""
    from qvlm_qiskit.quantum import quantum_layers

    circuits = [layer.neural_network.circuit for layer in quantum_layers(core).values()]
    written = [circuit.decompose("amplitude_encoding") for circuit in circuits]
    sizes = core.sizes
    return {
        "inputs": list(sizes.inputs),
        "outputs": list(sizes.outputs),
        "parameters": sizes.parameters,
        "circuit_parameters": sum(p.numel() for p in core.circuit_parameters()),
        "rows": sizes.rows,
        "shared_rows": sizes.shared_rows,
        "qubits": max((circuit.num_qubits for circuit in circuits), default=0),
        "two_qubit_gates": max((one.num_nonlocal_gates() for one in written), default=0),
    }


def plain_qkan(core: Any) -> Part:
    """Every edge on the Bloch sphere, one rotation after the other."""
    import torch

    def turned(angle: Any, one: Any, other: Any) -> tuple[Any, Any]:
        cosine, sine = torch.cos(angle), torch.sin(angle)
        return cosine * one - sine * other, sine * one + cosine * other

    def forward(x: Any) -> Any:
        weights = core.edges.weight.view(*core.scale.shape, -1, 2)
        uploads = x[:, None].expand(len(x), *core.scale.shape)
        a, b, c = torch.ones_like(uploads), torch.zeros_like(uploads), torch.zeros_like(uploads)
        for step in range(core.config.repetitions + 1):
            a, b = turned(weights[..., step, 0], a, b)
            c, a = turned(weights[..., step, 1], c, a)
            if step < core.config.repetitions:
                a, b = turned(uploads, a, b)
        return (core.scale * c).sum(-1) + torch.nn.functional.silu(x) @ core.base.mT

    return forward


def plain_embedding(core: Any) -> Part:
    """The Hamiltonian diagonalised once for each sample, the weights' exponentials once in all."""
    import numpy as np
    import torch
    from qiskit.quantum_info import pauli_basis

    config, n, count = core.config, core.config.qubits, core.config.repetitions
    matrices = np.stack([string.to_matrix() for string in pauli_basis(2)[1:]])
    strings = torch.as_tensor(matrices, dtype=torch.complex64).flatten(1)
    rows, columns = torch.triu_indices(2**n, 2**n)

    def forward(x: Any) -> Any:
        everywhere = (torch.arange(len(x))[:, None], rows, columns)
        upper = x.new_zeros(len(x), 2**n, 2**n).index_put(everywhere, x)
        levels, vectors = torch.linalg.eigh(upper + upper.triu(1).mT)
        vectors, factors = vectors.to(torch.complex64), core.layer.weight[count:]
        generators = factors.view(count, n - 1, 15).to(torch.complex64) @ strings
        unitaries = torch.matrix_exp(1j * generators.view(count, n - 1, 4, 4))
        state = torch.full((len(x), 2**n, 1), 2 ** (-n / 2), dtype=torch.complex64)
        for time, pairs in zip(core.layer.weight[:count], unitaries, strict=True):
            phases = torch.exp(-0.5j * time * levels)[..., None]
            state = vectors @ (phases * (vectors.mT @ state))
            for first, pair in enumerate(pairs):
                split = state.reshape(len(x), -1, 4, 2**first)
                state = torch.einsum("ij,bajc->baic", pair, split).reshape(len(x), -1, 1)
        return state[..., 0].abs().square()[:, : config.outputs]

    return forward


def plain_convolution(core: Any) -> Part:
    """The convolution by itself, with kernels that are its own."""
    import torch

    kernels = core.kernels().detach().requires_grad_()

    def forward(x: Any) -> Any:
        return torch.nn.functional.conv2d(x, kernels / x.shape[1], core.bias)

    return forward


PLAIN: dict[str, Callable[[Any], Part]] = {
    "qkan": plain_qkan,
    "hamiltonian-embedding": plain_embedding,
    "flipped-quanvolution": plain_convolution,
}


def render(results: Results) -> str:
    """The table in plain columns."""
    head = ("qubits", "2q gates", "rows", "numbers", "ms", "twin", "× twin", "plain", "× plain")
    lines = [f"{'block':<26}" + "".join(f"{name:>10}" for name in head)]
    for row in results["rows"]:
        ours, twin, plain = row["quantum_ms"], row["classical_ms"], row.get("plain_ms")
        rows = f"{row['rows']}" + (f"+{row['shared_rows']}" if row["shared_rows"] else "")
        cells = (
            *(row["qubits"], row["two_qubit_gates"], rows, f"{row['parameters']:,}"),
            *(f"{ours:.2f}", f"{twin:.2f}", f"{ours / twin:.1f}"),
            *(("–", "–") if plain is None else (f"{plain:.2f}", f"{ours / plain:.1f}")),
        )
        lines.append(f"{row['name']:<26}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the models of the block zoo.")
    parser.add_argument("--smoke", action="store_true", help="one round")
    parser.add_argument("--threads", type=positive, default=1, help="default 1")
    parser.add_argument("--rounds", type=positive, default=7, help="turns per block; default 7")
    parser.add_argument("--json", type=Path, default=None, help="where to store the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
