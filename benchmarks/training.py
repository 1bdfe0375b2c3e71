r"""One training step of a recipe's model on every machine that trains, in one run.

    python benchmarks/training.py [--recipe small] [--batch 64] [--rounds N] [--threads N]
        [--smoke] [--json PATH]

A step is the forward and backward pass of the model with its loss, without the optimiser; all
machines get the same weights and the same batch, in turn. Machines that sample ask more of a row,
so they are measured on a batch of two. ``aer`` is also measured with the rows of one circuit from
10² to 10⁵, where its time should grow in proportion. A table goes to the standard output.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from command import begin, store
from tables import number, spread_text
from timing import interleave, repeat, spread, thread_environment

PACKAGES = ("torch", "numpy", "qiskit", "qiskit-aer")
EXACT = ("statevector", "aer", "noisy:depolarizing(0.01)")
SAMPLED = (
    ("aer, 100 shots, spsa", "aer", "spsa"),
    ("noisy:fake_manila, 100 shots, spsa", "noisy:fake_manila", "spsa"),
    ("noisy:fake_manila, 100 shots, param_shift", "noisy:fake_manila", "param_shift"),
)
SMALL_BATCH = 2


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    # before torch and Aer are loaded
    os.environ.update(thread_environment(options.threads))
    import torch

    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {
        **begin(options, PACKAGES),
        "steps": steps(options),
        "circuit": circuit(options),
        "rows": rows(options),
    }
    results["machine"]["load_after"] = os.getloadavg()[0]
    print(render(results), end="")
    store(results, options.json)


def steps(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Milliseconds of a step on every machine, exact ones first."""
    from qvlm_qiskit import open_backend
    from qvlm_qiskit.quantum import SampledGradient

    exact = [
        (name, None if name == "statevector" else open_backend(name, **_exact(name)), None)
        for name in EXACT
    ]
    sampled = [
        (name, open_backend(backend, shots=100, seed=0), SampledGradient(method, seed=0))
        for name, backend, method in SAMPLED
    ]
    found: list[dict[str, Any]] = []
    for machines, batch in ((exact, options.batch), (sampled, SMALL_BATCH)):
        model, inputs = _model(options.recipe, batch)
        calls = {
            name: _step(model, inputs, backend, gradient) for name, backend, gradient in machines
        }
        times = interleave(calls, options.rounds, 0.0 if options.smoke else 1.0)
        found += [{"machine": name, "batch": batch, **times[name]} for name in calls]
    return found


def circuit(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of 8 rows of a circuit of 8 qubits and 56 angles, on our engine and on Aer."""
    import torch
    from qiskit.circuit import ParameterVector, QuantumCircuit

    from qvlm_qiskit import open_backend
    from qvlm_qiskit.quantum import QuantumLayer, make_qnn, z_observables

    qubits, layers = 8, 3
    inputs = ParameterVector("x", qubits)
    weights = ParameterVector("w", 2 * qubits * layers)
    made, free = QuantumCircuit(qubits), iter(weights)
    for qubit in range(qubits):
        made.ry(inputs[qubit], qubit)
    for _ in range(layers):
        for qubit in range(qubits):
            made.ry(next(free), qubit)
            made.rz(next(free), qubit)
        for qubit in range(qubits):
            made.cx(qubit, (qubit + 1) % qubits)
    layer = QuantumLayer(make_qnn(made, list(inputs), list(weights), z_observables(qubits)))
    given = torch.rand(8, qubits, requires_grad=True)
    aer = open_backend("aer")

    def own() -> None:
        layer.zero_grad()
        layer(given).sum().backward()

    def through_aer() -> None:
        with layer.run_on(aer):
            own()

    calls = {"statevector": own, "aer": through_aer}
    found: dict[str, Any] = {**interleave(calls, options.rounds, 0.0 if options.smoke else 1.0)}
    return found


def rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Milliseconds of a forward and backward pass through Aer for many rows of one circuit."""
    import torch

    from qvlm_qiskit import open_backend

    model, _ = _model(options.recipe, 1)
    layer = min(model.quantum_layers.values(), key=lambda one: one.neural_network.num_inputs)
    found = []
    with layer.run_on(open_backend("aer")):
        for count in (10, 100) if options.smoke else (100, 1_000, 10_000, 100_000):
            inputs = torch.rand(count, layer.neural_network.num_inputs)

            def call(inputs: torch.Tensor = inputs) -> None:
                layer.zero_grad()
                layer(inputs).sum().backward()

            call()
            found.append({"rows": count, **spread(repeat(call, 0.0 if options.smoke else 2.0))})
    return found


def _exact(name: str) -> dict[str, Any]:
    return {"precision": 0, "dtype": "complex64"} if name.startswith("noisy:") else {}


def _model(recipe: str, batch: int) -> tuple[Any, dict[str, Any]]:
    """A model and a batch of training rows for it."""
    from qvlm_qiskit.data import open_data
    from qvlm_qiskit.data.batch import collate, encode_training
    from qvlm_qiskit.recipes import TrainingOptions
    from qvlm_qiskit.training import build_model

    model, processor = build_model(TrainingOptions(recipe=recipe))
    samples = open_data("digits", "train", batch, 0)
    return model.train(), collate(encode_training(processor, samples))


def _step(model: Any, inputs: dict[str, Any], backend: Any, gradient: Any) -> Callable[[], None]:
    def call() -> None:
        model.zero_grad()
        with nullcontext() if backend is None else model.run_on(backend, gradient):
            model(**inputs).loss.backward()

    return call


def render(results: dict[str, Any]) -> str:
    """The tables, at most 80 columns wide."""
    machine, command = results["machine"], results["command"]
    lines = [
        f"{results['date']}, {machine['cpu']}, {machine['cores']} cores",
        f"Load of the machine {machine['load_before']:.1f} before, "
        f"{machine['load_after']:.1f} after; {command['threads']} thread(s).",
        "",
        f"A step of recipe {command['recipe']}, forward + backward, ms: median [quartiles]",
        f"{'machine':44}{'batch':>6}  {'ms':18}{'×':>8}",
    ]
    own = results["steps"][0]["median"]
    for step in results["steps"]:
        ratio = number(step["median"] / own) if step["batch"] == command["batch"] else ""
        lines.append(
            f"{step['machine']:44}{step['batch']:>6}  {spread_text(step):18}{ratio:>8}".rstrip()
        )
    lines += ["", "8 rows of a circuit of 8 qubits and 56 angles, forward + backward, ms"]
    lines += [f"{name:44}{'8':>6}  {spread_text(t)}" for name, t in results["circuit"].items()]
    lines += [
        "",
        "Rows of one circuit on aer, forward + backward",
        f"{'rows':>8}  {'ms':20}  µs/row",
    ]
    for row in results["rows"]:
        each = 1000 * row["median"] / row["rows"]
        lines.append(f"{row['rows']:>8,}  {spread_text(row):20}  {number(each)}")
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a training step on every machine.")
    parser.add_argument("--recipe", default="small", help="tiny or small; default small")
    parser.add_argument("--batch", type=int, default=64, help="samples of exact machines")
    parser.add_argument("--rounds", type=int, default=5, help="turns; default 5")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.recipe, options.batch, options.rounds = "tiny", 4, 1
    if min(options.batch, options.rounds, options.threads) < 1:
        sys.exit("batch, rounds and threads must be at least 1")
    return options


if __name__ == "__main__":
    main()
