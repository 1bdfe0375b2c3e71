"""Who takes part in a row, and how each is built."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from command import version_of

from circuits.rows import CASES

if TYPE_CHECKING:
    from peers.runner import Runner


@dataclass(frozen=True)
class Contender:
    """One implementation of one row.

    Attributes:
        peer: Its name; "ours" is the first of a row.
        label: In the tables.
        distribution: Whose version is shown.
        build: Makes a :class:`~peers.runner.Runner`.
        kind: "ours", "peer", or "reference" for what is no framework.
        modules: What ``build`` imports: that time is not measured.
    """

    peer: str
    label: str
    distribution: str
    build: Callable[[], Runner]
    kind: str = "peer"
    modules: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        return version_of(self.distribution)


@dataclass(frozen=True)
class Row:
    """What is measured together.

    Attributes:
        title: Heading of its table.
        contenders: Ours first.
        tolerance: Largest deviation from our outputs and gradients with which a time counts.
    """

    title: str
    contenders: list[Contender]
    tolerance: float = 1e-4


SPECIAL = ("kernel", "hamiltonian", "edges")
"""Rows with a module of their own."""
NAMES = (*CASES, *SPECIAL)
"""What ``--rows`` takes."""


def row_of(name: str, smoke: bool) -> Row:
    """A row by its name, in smoke mode at sizes that take milliseconds."""
    if name in SPECIAL:
        row: Row = importlib.import_module(f"circuits.{name}").row(smoke)
        return row
    make, size, small = CASES[name]
    case = make(*(small if smoke else size))

    def built(module: str, function: str = "build") -> Runner:
        made: Runner = getattr(importlib.import_module(f"circuits.{module}"), function)(case)
        return made

    found = [
        ours(partial(built, "ours")),
        tensorcircuit(partial(built, "tensorcircuit_jax")),
        torch(partial(built, "plain_torch")),
    ]
    if case.num_qubits <= 20:
        found.insert(2, pennylane(partial(built, "pennylane_torch")))
    if case.grouped:
        layers = f"{case.data.weights.shape[0]} QuantumLayers"
        build = partial(built, "ours", "build_layers")
        own = Contender("layers", layers, "qvlm-qiskit", build, "reference")
        found.insert(1, own)
    return Row(case.title, found)


def ours(build: Callable[[], Runner]) -> Contender:
    """This project."""
    modules = ("circuits.ours", "qiskit.circuit.library")
    return Contender("ours", "qvlm-qiskit", "qvlm-qiskit", build, "ours", modules)


def tensorcircuit(
    build: Callable[[], Runner], label: str = "TensorCircuit-NG, JAX jit"
) -> Contender:
    """TensorCircuit-NG on JAX."""
    modules = ("circuits.tensorcircuit_jax",)
    return Contender("tensorcircuit", label, "tensorcircuit-ng", build, modules=modules)


def pennylane(build: Callable[[], Runner]) -> Contender:
    """PennyLane by backpropagation."""
    modules = ("circuits.pennylane_torch",)
    return Contender("pennylane", "PennyLane default backprop", "pennylane", build, modules=modules)


def torch(build: Callable[[], Runner], label: str = "plain torch") -> Contender:
    """A torch program without a framework."""
    modules = ("circuits.plain_torch",)
    return Contender("torch", label, "torch", build, "reference", modules)
