"""The work of one process: one problem, answered by every method."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.ising import Bits, Floats, Ising, all_bits
from qvlm_qiskit.quantum.qaoa import train_qaoa
from qvlm_qiskit.studies.shrinking.options import ShrinkingOptions
from qvlm_qiskit.studies.shrinking.problems import Problem, make_problem
from qvlm_qiskit.studies.shrinking.shrink import shrink


@dataclass(frozen=True)
class Cell:
    """One problem.

    Attributes:
        problem: Its kind.
        seed: Of its numbers, angles and samples.
    """

    problem: str
    seed: int


def all_cells(options: ShrinkingOptions) -> list[Cell]:
    """Every seed of every kind."""
    return [Cell(name, seed) for name in options.problems for seed in range(options.seeds or 0)]


def problem_of(cell: Cell, options: ShrinkingOptions) -> Problem:
    """The cell's problem."""
    rng = np.random.default_rng([zlib.crc32(cell.problem.encode()), cell.seed])
    sizes = {"nodes": options.nodes or 0, "items": options.items or 0,
             "workers": options.workers or 0}  # fmt: skip
    return make_problem(cell.problem, **sizes, rng=rng)


def check_left(cells: Sequence[Cell], options: ShrinkingOptions) -> None:
    """Refuse a problem of which nothing would be merged: all methods would try all of its values.

    Args:
        cells: The problems.
        options: Their sizes, and how many variables are left.

    Raises:
        InputError: A problem has no more variables than are left.
    """
    for cell in cells:
        size = problem_of(cell, options).ising().size
        if (options.left or 0) >= size:
            raise InputError(
                f"left must be less than the {size} variables of {cell.problem} {cell.seed}, so "
                f"that some are merged; got {options.left}"
            )


def compute(cell: Cell, options: ShrinkingOptions) -> dict[str, Any]:
    """What every method answers, as plain data."""
    problem = problem_of(cell, options)
    ising, best = problem.ising(), problem.best()
    rng = np.random.default_rng([7, cell.seed])
    evaluations = 0

    def correlations(rest: Ising) -> tuple[Floats, Floats]:
        nonlocal evaluations
        trained = train_qaoa(
            rest, options.layers, options.starts, options.steps or 0, cell.seed
        )  # fmt: skip
        evaluations += trained.evaluations
        return trained.correlations()

    def answer(bits: Bits, **more: Any) -> dict[str, Any]:
        own = bits[: problem.answers]
        whole = problem.repaired(own)
        ratio = problem.ratio(problem.value(whole), best)
        feasible = problem.feasible(own)
        as_found = problem.ratio(problem.value(own), best) if feasible and own.any() else 0.0
        return {"feasible": float(feasible), "unrepaired": as_found, "ratio": ratio,
                "optimal": float(ratio > 1 - 1e-9), **more}  # fmt: skip

    plain = train_qaoa(ising, options.layers, options.starts, options.steps or 0, cell.seed)
    left = options.left or 0
    by_circuits = shrink(problem, correlations, left)
    by_couplings = shrink(problem, couplings, left)
    everything = len(plain.probabilities)
    even = np.full(everything, 1 / everything)
    merged = {"merges": by_circuits.merges, "refused": by_circuits.refused}
    return {
        "problem": cell.problem,
        "seed": cell.seed,
        "qubits": ising.size,
        "best": best,
        "methods": {
            "greedy": answer(problem.greedy(), circuits=0),
            "random": _sampled(problem, ising, even, options.samples, rng, answer, 0),
            "QAOA": _sampled(problem, ising, plain.probabilities, options.samples, rng, answer,
                             plain.evaluations),
            "shrinking": answer(by_circuits.bits, circuits=evaluations, **merged),
            "by couplings": answer(by_couplings.bits, circuits=0),
        },
    }  # fmt: skip


def couplings(ising: Ising) -> tuple[Floats, Floats]:
    """Scores without a circuit: each spin against its field, each pair against its coupling."""
    pairs = -(ising.couplings + ising.couplings.T)
    return -ising.fields, pairs


def _sampled(
    problem: Problem, ising: Ising, probabilities: Floats, samples: int,
    rng: np.random.Generator, answer: Any, circuits: int,
) -> dict[str, Any]:  # fmt: skip
    """The sample of least energy, and how many samples were feasible."""
    drawn = rng.choice(len(probabilities), samples, p=probabilities / probabilities.sum())
    bits = all_bits(ising.size)[drawn]
    share = np.mean([problem.feasible(one[: problem.answers]) for one in bits])
    chosen = bits[int(np.argmin(ising.energies(bits)))]
    found: dict[str, Any] = answer(chosen, circuits=circuits, feasible_samples=float(share))
    return found
