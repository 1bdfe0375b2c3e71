r"""One training step of an adapter on a language model, with the circuit and with what else may be.

    python benchmarks/adapter.py [--language NAME] [--batch 16] [--length 8] [--rounds N]
        [--threads N] [--smoke] [--json PATH]

By default the language model has random weights and the sizes of SmolLM2-135M, which are written
into a temporary folder (540 MB) and read from there; ``--language smollm2`` takes the real ones. A
step is the forward and backward pass from features of pictures to the loss of their captions and
the gradients of LoRA and projection. All projections stand in turn in front of one and the same
language model. A table goes to the standard output: "× twin" is of medians of wall time, "CPU" of
the processor's.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from command import begin, positive, store
from tables import spread_text
from timing import interleave, spread, thread_environment

PACKAGES = ("torch", "transformers", "peft", "qiskit", "numba")
KINDS = ("quantum", "classical", "frozen", "linear")
FEATURES = 1280
"""Of a picture, as EfficientNet-Lite0 has them."""
SMOLLM2 = {"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
           "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
           "tie_word_embeddings": True}  # fmt: skip
SMALL = {**SMOLLM2, "vocab_size": 300, "hidden_size": 72, "num_hidden_layers": 2}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    # before torch is loaded
    os.environ.update(thread_environment(options.threads))
    import torch

    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        language = options.language or random_language(Path(folder), options.smoke)
        results: dict[str, Any] = {**begin(options, PACKAGES), **measured(language, options)}
    results["machine"]["load_after"] = os.getloadavg()[0]
    print(render(results), end="")
    store(results, options.json)


def random_language(folder: Path, small: bool) -> str:
    """A Llama with random weights on disk."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**(SMALL if small else SMOLLM2))).save_pretrained(folder)
    return str(folder)


def measured(language: str, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a step, parameters that train, and the bytes of what is kept of them."""
    import torch

    from qvlm_qiskit.adapter import ProjectionConfig, QuantumVisionLanguageModel
    from qvlm_qiskit.adapter.decoders import embedding_deviation, embedding_width
    from qvlm_qiskit.adapter.variants import build_projection

    torch.manual_seed(0)
    config = ProjectionConfig(num_qubits=options.qubits)
    model = QuantumVisionLanguageModel(language, FEATURES, config).train()
    base = model.decoder
    made = {
        kind: build_projection(
            ProjectionConfig(kind, options.qubits), FEATURES, embedding_width(base),
            embedding_deviation(base),
        )
        for kind in KINDS
    }  # fmt: skip
    ids = torch.randint(0, base.config.vocab_size, (options.batch, options.length))
    batch = {"features": torch.randn(options.batch, FEATURES), "input_ids": ids,
             "attention_mask": torch.ones_like(ids), "labels": ids}  # fmt: skip
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    calls = {kind: _step(model, part, batch, spent[kind]) for kind, part in made.items()}
    steps = interleave(calls, options.rounds, 0.0)
    return {
        "steps": steps,
        # the first call of each compiles what it needs
        "cpu": {kind: spread(seconds[1:]) for kind, seconds in spent.items()},
        "sizes": {kind: _size(model, part) for kind, part in made.items()},
        "frozen": sum(p.numel() for p in base.parameters() if not p.requires_grad),
    }


def _step(
    model: Any, projection: Any, batch: dict[str, Any], spent: list[float]
) -> Callable[[], None]:
    def call() -> None:
        started = time.process_time()
        model.projection = projection
        model.zero_grad()
        model(**batch).loss.backward()
        spent.append(time.process_time() - started)

    return call


def _size(model: Any, projection: Any) -> dict[str, int]:
    model.projection = projection
    trained = [p for p in model.parameters() if p.requires_grad]
    with TemporaryDirectory() as folder:
        model.save_pretrained(Path(folder))
        kept = sum(file.stat().st_size for file in Path(folder).iterdir())
    own = sum(p.numel() for p in projection.parameters())
    return {"trained": sum(p.numel() for p in trained), "projection": own, "bytes": kept}


def render(results: dict[str, Any]) -> str:
    """The table, at most 80 columns wide."""
    machine, command = results["machine"], results["command"]
    versions = ", ".join(f"{name} {found}" for name, found in results["versions"].items())
    lines = [
        f"{results['date']}, {machine['cpu']}, {machine['cores']} cores",
        versions,
        f"Load of the machine {machine['load_before']:.1f} before, "
        f"{machine['load_after']:.1f} after; {command['threads']} thread(s).",
        "",
        f"A training step, {command['batch']} texts of {command['length']} tokens, "
        f"{results['frozen']:,} frozen parameters,",
        f"{command['qubits']} qubits, ms: median [quartiles]",
        f"{'projection':12}{'ms':22}{'best':>8}{'× twin':>8}{'CPU':>7}{'trained':>11}{'MB':>6}",
    ]
    twin, cpu = results["steps"]["classical"], results["cpu"]
    for name, step in results["steps"].items():
        size = results["sizes"][name]
        lines.append(
            f"{name:12}{spread_text(step):22}{step['best']:>8.0f}"
            f"{step['median'] / twin['median']:>8.3f}"
            f"{cpu[name]['median'] / cpu['classical']['median']:>7.3f}"
            f"{size['trained']:>11,}{size['bytes'] / 1e6:>6.2f}"
        )
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure an adapter's training step.")
    parser.add_argument("--language", help="folder, name or .gguf file; default random weights")
    parser.add_argument("--batch", type=positive, default=16, help="texts; default 16")
    parser.add_argument("--length", type=positive, default=8, help="tokens; default 8")
    parser.add_argument("--qubits", type=positive, default=6, help="of the circuit; default 6")
    parser.add_argument("--rounds", type=positive, default=15, help="of all; default 15")
    parser.add_argument("--threads", type=positive, default=1, help="default 1")
    parser.add_argument("--smoke", action="store_true", help="the smallest run that shows all")
    parser.add_argument("--json", type=Path, help="where the results go")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.batch, options.rounds = 2, 2
    return options


if __name__ == "__main__":
    main()
