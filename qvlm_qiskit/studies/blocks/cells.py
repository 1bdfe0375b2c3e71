"""Who is trained, and the work of one process: a model's training, and what it then answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.evaluation.loss import exam_loss
from qvlm_qiskit.models.block_classifier import BlockClassifierOptions, of_tokens
from qvlm_qiskit.models.cnn import POOLED
from qvlm_qiskit.recipes import BLOCKS, TrainingOptions
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.blocks.options import BlocksOptions
from qvlm_qiskit.studies.compare import cells as compared
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.training import Subject

KINDS = ("quantum", "classical", "frozen", "linear")
"""Of every block."""
HIDDEN = BlockClassifierOptions.hidden
"""Units of every model's hidden layer."""
BASELINES = ("none", "cnn")
"""Once for all blocks: nothing in the block's place, and a small network of convolutions, over the
picture or over the words."""
LEARN, TIME, MACHINE, NOISE = "learn", "time", "machine", "noise"
MOST_CHANNELS = 64
"""Of the small network of convolutions."""
SMALL = {
    "paqm": "paqm(num_qubits=4)",
    "qcnn": "qcnn(num_qubits=4)",
    "farhi-neven": "farhi-neven(inputs=8)",
}
"""Blocks whose default sizes are those of a published model of millions of parameters."""


@dataclass(frozen=True)
class Cell:
    """One row.

    Attributes:
        task: What is found out.
        block: As the user writes it; of a baseline nothing.
        kind: One of `KINDS` or `BASELINES`.
        seed: Of the training, and of the samples.
        mitigation: Under noise.
    """

    task: str
    block: str
    kind: str
    seed: int = 0
    mitigation: str = "none"


def blocks_of(options: BlocksOptions) -> tuple[str, ...]:
    """The blocks that are asked for, by default all of this package, or those of sequences."""
    if options.blocks:
        return options.blocks
    everyone = options.reads == "picture"
    return tuple(SMALL.get(name, name) for name in BLOCKS.own if everyone or of_tokens(name))


def all_cells(options: BlocksOptions) -> list[Cell]:
    """Trainings of every kind and seed, then what is measured once for each block."""
    blocks = blocks_of(options)
    who = [(block, kind) for block in blocks for kind in KINDS]
    who += [("", kind) for kind in BASELINES]
    found = [Cell(LEARN, *one, seed) for one in who for seed in range(options.seeds)]
    found += [Cell(MACHINE, block, "quantum") for block in blocks]
    if options.rounds:
        found += [Cell(TIME, block, "quantum") for block in blocks]
    if options.noisy_limit:
        techniques = dict.fromkeys(("none", options.mitigation))
        found += [
            Cell(NOISE, block, "quantum", mitigation=one) for block in blocks for one in techniques
        ]
    return found


def model_text(options: BlocksOptions, cell: Cell) -> str:
    """A cell's model as ``--model`` takes it."""
    if cell.kind == "cnn" and options.reads == "question":
        return f"text-cnn(tokens={options.tokens},width={options.width})"
    if cell.kind == "cnn":
        return f"cnn(side={options.side},channels={cnn_channels(options)},hidden={HIDDEN})"
    block = f"block={cell.block}," if cell.block else ""
    residual = "residual=yes," if options.residual else ""
    sizes = ",".join(f"{name}={value}" for name, value in sizes_of(options).items())
    return f"block-classifier({block}kind={cell.kind},{residual}{sizes})"


def sizes_of(options: BlocksOptions) -> dict[str, Any]:
    """What is around every block, as options of its model."""
    if options.reads == "question":
        return {"reads": "question", "tokens": options.tokens, "width": options.width}
    return {"side": options.side, "grid": options.grid, "width": options.width}


def cnn_channels(options: BlocksOptions) -> int:
    """Channels with which the small network's numbers come nearest to those of no block.

    Both have the same hidden units behind them, so that words and classes add the same to each.
    """
    pixels, patches = 3 * (options.side // options.grid) ** 2, options.grid**2
    none = options.width * (pixels + 1 + patches + patches * HIDDEN)
    return min(range(1, MOST_CHANNELS + 1), key=lambda one: abs(_cnn_numbers(one) - none))


def _cnn_numbers(channels: int) -> int:
    """Of both convolutions, and of what the hidden layer has for their features."""
    first, second = 28 * channels, 2 * channels * (9 * channels + 1)
    return first + second + 2 * channels * POOLED**2 * HIDDEN


def training_of(options: BlocksOptions, cell: Cell) -> TrainingOptions:
    """What a cell's model is trained with."""
    text = model_text(options, cell)
    return comparison(options, text).training(text, cell.seed)


def comparison(options: BlocksOptions, model: str) -> CompareOptions:
    """The same as a comparison of one model."""
    return CompareOptions(
        data=options.data, columns=options.columns, strict=options.strict, steps=options.steps,
        batch_size=options.batch_size, train_samples=options.train_samples,
        learning_rate=options.learning_rate, variants=(model,), seeds=options.seeds,
        limit=options.limit,
    )  # fmt: skip


def model_folder(options: BlocksOptions, folder: Path, cell: Cell) -> Path:
    """The run folder of a cell's model."""
    return compared.model_folder(folder, compared.Cell(model_text(options, cell), cell.seed))


def train_model(options: BlocksOptions, cell: Cell, path: Path) -> None:
    """Train a cell's model; what an interrupted study left of it is trained again."""
    text = model_text(options, cell)
    compared.train_model(comparison(options, text), compared.Cell(text, cell.seed), path)


def answered(options: BlocksOptions, cell: Cell, path: Path) -> dict[str, Any]:
    """What a trained model answers exactly: accuracy, loss, and which answers are right."""
    text = model_text(options, cell)
    row = compared.evaluate_cell(comparison(options, text), compared.Cell(text, cell.seed), path)
    kept = (
        "accuracy", "correct", "total", "low", "high", "right", "parameters",
        "quantum_parameters", "train_samples", "seconds_trained",
    )  # fmt: skip
    return {**{name: row[name] for name in kept}, **_loss(options, path)}


def _loss(options: BlocksOptions, path: Path) -> dict[str, Any]:
    """The mean cross-entropy over questions whose answers a training sample had, in nats.

    Beside it the entropy of these answers' frequencies: what a model has that says the same always.
    """
    run = Run.open(path)
    model: Any = run.answering_model()  # a Classifier
    known = [one for one in run.samples("test", options.limit) if one.answer in model.classes]
    shares = [count / len(known) for count in Counter(one.answer for one in known).values()]
    return {
        "loss": exam_loss(Exam(model, known)),
        "loss_total": len(known),
        "entropy": -sum(share * math.log(share) for share in shares),
    }


def rehearse(options: BlocksOptions, cells: Sequence[Cell]) -> None:
    """Open data and the device, and build every block, before anything is trained.

    Raises:
        QVLMError: The data can't be read, a block can't stand behind these patches or words, or
            the device or its mitigation is not there.
    """
    for block in blocks_of(options):
        try:
            BlockClassifierOptions(block=block, **sizes_of(options))
        except InputError as error:
            if options.blocks:
                raise
            raise InputError(f"{error}; --blocks says which blocks are asked") from error
    open_data(options.data_name, "test", options.limit, 0)
    open_backend(options.device, shots=options.shots)
    open_backend(f"noisy:{options.device}", shots=options.shots, mitigation=options.mitigation)
    for cell in cells:  # of the first seed, which a study that goes on with more of them has too
        if (cell.task, cell.seed) == (LEARN, 0) and cell.kind in ("quantum", "cnn"):
            Subject(training_of(options, cell)).build()
