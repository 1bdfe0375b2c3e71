"""A trained model's preflight: the questions of an evaluation, on a machine, without running it."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import nn

from qvlm_qiskit.backends import Backend, Preflight
from qvlm_qiskit.backends.preflight.advice import largest_encoding
from qvlm_qiskit.backends.preflight.preflight import (
    check_one,
    compared_mitigations,
    preflight_calls,
    with_dry_run,
)
from qvlm_qiskit.backends.preflight.rehearse import blocks_of, exact_estimator, rehearse
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.blocks import blocks_in, layers_outside
from qvlm_qiskit.errors import BackendError, QVLMError
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.model.recipes import RECIPES
from qvlm_qiskit.models.protocol import AnsweringModel


def preflight_evaluation(
    exam: Exam,
    backend: Backend,
    *,
    batch_size: int = 100,
    mitigations: Sequence[str] | None = None,
    service_dry_run: bool = False,
    track: Track = silent,
) -> tuple[Preflight, list[str]]:
    """What `evaluate` with the same arguments would execute on a backend.

    The answers are generated on exact values, so the words that are read again are the exact
    model's. Under noise an answer can be another one, and then other rows are sent.

    Args:
        exam: A trained model, its processor and the questions.
        backend: The machine.
        batch_size: Questions per forward pass; equal rows of one pass are sent once.
        mitigations: By default the backend's own, or all that it offers.
        service_dry_run: Also state what a dry run of the machine's service says of the largest job.
        track: Opens progress bars.

    Returns:
        The report, and what this project offers instead of blocks that won't do there.

    Raises:
        InputError: The model has no quantum layer, or a dry run of several mitigations is asked.
    """
    blocks_of(exam.model)
    names = compared_mitigations(backend) if mitigations is None else mitigations
    if service_dry_run:
        check_one(names)
    calls = rehearse(
        exam.model,
        lambda: evaluate_exam(exam, batch_size=batch_size, track=track, what="rehearsal"),
        exact_estimator(),
    )
    with track("costs", len(names)) as counted:
        report = preflight_calls(backend, exam.model, calls, names, counted)
    if service_dry_run:
        report = with_dry_run(report, backend, calls)
    return report, smaller_recipes(exam.model.module, backend)


def priced(
    backend: Backend, model: AnsweringModel, calls: Sequence[Call]
) -> tuple[Preflight, list[str]]:
    """What calls of a model's layers cost on a backend, with the mitigation that it has.

    Args:
        backend: The machine.
        model: The model that was rehearsed.
        calls: What `rehearse` has noted.

    Returns:
        As `preflight_evaluation`.

    Raises:
        BackendError: A block or the mitigation can't run there.
    """
    report = preflight_calls(backend, model, calls, [backend.options.mitigation])
    refusals = [block.refused for block in report.blocks]
    if refused := [text for text in (*refusals, report.levels[0].refused) if text]:
        raise BackendError(f"{backend.name} can't run it: {refused[0]}")
    return report, smaller_recipes(model.module, backend)


def jobs_in_a_row(model: nn.Module, tokens: int) -> int:
    """How many jobs a generation waits for, one after the other, without prefetch.

    A vision block, or a quantum layer by itself, asks once, for the images. A text block asks for
    the prompts, and again for every token that is read again, which the last one is not. Mitigation
    that calibrates adds jobs of its own.

    Args:
        model: Its blocks and layers, of which some are quantum.
        tokens: Length of the longest answer of a batch, its end included.
    """
    blocks = sum(block.rounds(tokens) for block in blocks_in(model).values())
    return blocks + len(layers_outside(model))


def smaller_recipes(model: nn.Module, backend: Backend) -> list[str]:
    """Recipes whose blocks are small enough for a machine on which the model's are too large."""
    said: list[str] = []
    if not isinstance(model, HybridVLM):  # no recipe is like it
        return said
    for path, block in model.blocks.items():
        name = model.config.blocks[block.place]["name"]
        own = {r: parts["blocks"][block.place] for r, parts in RECIPES.items()}
        sizes = {r: of["num_qubits"] for r, of in own.items() if of["name"] == name}
        for layer_name, layer in block.layers.items():
            fitting = _fitting_qubits(layer.neural_network, backend)
            found = [f"{recipe} ({size} qubits)" for recipe, size in sizes.items()
                     if fitting is not None and size <= fitting]  # fmt: skip
            if found:
                smaller = f"qvlm train --recipe {' or '.join(found)} has a smaller {name}"
                said.append(f"{path}.{layer_name}: {smaller}")
    return said


def _fitting_qubits(network: EstimatorQNN, backend: Backend) -> int | None:
    """Qubits of the largest encoding that a machine does; None where it does the network's own."""
    try:
        compiled = backend.compile(network.circuit, network.observables)
    except QVLMError:
        fitting: int | None = backend.num_qubits
    else:
        fitting = largest_encoding(network.circuit, compiled)
    return None if fitting is None or fitting >= network.circuit.num_qubits else fitting
