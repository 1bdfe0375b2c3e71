"""An estimator that really measures: shots on an Aer simulator, with gate and readout noise.

Aer's own estimator reads expectation values off the state and adds Gaussian noise, so readout
errors never enter; here every value comes from counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qvlm_qiskit.backends.compilation.compiler import Compiler, transpiling
from qvlm_qiskit.backends.compilation.fractional import without_fractional_gates
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.active_qubits import (
    active_qubits,
    restrict_circuit,
    restrict_observables,
)
from qvlm_qiskit.backends.pubs.components import divided
from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.pauli_terms import (
    MeasurementGroup,
    Term,
    group_qubit_wise,
    pauli_terms,
)
from qvlm_qiskit.backends.pubs.shots import content_seed, precision_of_shots, shots_of_precision
from qvlm_qiskit.backends.pubs.unmeasured import measures_in_its_middle
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import BackendError, CapacityError, CircuitError

# Rows side by side on the cores. Threads inside one small circuit wait for each other instead:
# measured 14 times slower at 4 qubits on a busy machine.
PARALLEL = {"max_parallel_experiments": 0}
DEFAULT_SHOTS = 4096
# A density matrix of this many qubits takes 16·4ⁿ bytes = 16 MiB and is sampled exactly; beyond,
# Aer chooses between it and trajectories.
DENSITY_MATRIX_QUBITS = 10
MAX_ACTIVE_QUBITS = 28
# What is remembered: a model has a handful of circuits, each on one set of qubits; mitigation makes
# several of each, and a circuit is measured in a few bases.
MAX_SIMULATORS = 64
MAX_CIRCUITS = 256


@dataclass(frozen=True)
class ReducedSimulator:
    """A simulator of some qubits of a device, made when it is first run.

    Attributes:
        make: Makes the simulator; a noise model takes seconds.
        target: The qubits' target; None: any gate is fine.
    """

    make: Callable[[], Any]
    target: Target | None

    @cached_property
    def simulator(self) -> Any:
        """The simulator."""
        return self.make()


class SampledEstimator(BaseEstimatorV2):
    """Expectation values from counts of an Aer simulator that holds the active qubits only.

    All qubit-wise commuting terms of a pub share one measured circuit per parameter row. The value
    of an observable is the mean of its eigenvalue combination over the shots; its standard error
    is the root of Σ_groups var(combination)/shots, correlations within a group included.

    Args:
        reduced: Gives the simulator of a tuple of active device qubits; called once per tuple.
        seed: Equal pubs with an equal seed give equal counts; None draws fresh ones each time.
        default_precision: For pubs that name none.
        written_out: Applied to every circuit before it is cut down to its active qubits: noise
            that a simulator's model can't say. It may not touch further qubits.
        in_parts: Circuits come in parts between which nothing acts: `jobs` counts the whole, of
            which each part has to fit.
    """

    def __init__(
        self,
        reduced: Callable[[tuple[int, ...]], ReducedSimulator],
        seed: int | None = None,
        default_precision: float | None = None,
        written_out: Callable[[QuantumCircuit], QuantumCircuit] | None = None,
        in_parts: bool = False,
    ) -> None:
        self.seed = seed
        self._written_out = written_out or (lambda circuit: circuit)
        self.in_parts = in_parts
        self.default_precision = default_precision or precision_of_shots(DEFAULT_SHOTS)
        self._reduced = reduced
        self._simulators: LruCache[tuple[int, ...], ReducedSimulator] = LruCache(MAX_SIMULATORS)
        self._circuits: LruCache[Any, QuantumCircuit] = LruCache(MAX_CIRCUITS)

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Sample the pubs.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none; ⌈1/precision²⌉ shots per measured circuit.

        Raises:
            CircuitError: A circuit that measures at its end, or one that measures in its middle
                where there is noise that can't be written into such a circuit.
            CapacityError: More active qubits than can be simulated.
            BackendError: Aer fails.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        results = [self._run_pub(pub) for pub in coerced]
        return FinishedJob(PrimitiveResult(results, metadata={"version": 2}))

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """The circuits that `run` would measure, as one job."""
        work = []
        for pub in pubs:
            qubits = active_qubits(pub.circuit, pub.observables, dynamic=True)
            self._check(pub, qubits)
            digest = circuit_digest(pub.circuit)
            plan = _Plan.of(pub, qubits)
            work += [
                Work(
                    circuit=self._measured(pub.circuit, digest, qubits, group.basis),
                    circuits=len(rows),
                    shots=self._shots(pub),
                    target=self._simulator(qubits).target,
                )
                for group, rows in zip(plan.groups, plan.rows, strict=True)
            ]
        return [work]

    def _check(self, pub: EstimatorPub, qubits: tuple[int, ...]) -> None:
        """Refuse what can't be simulated, as a whole or in parts."""
        found = divided(pub, self._written_out) if self.in_parts else None
        for own in [qubits] if found is None else [part for part, _ in found]:
            _check_simulable(own)

    def _shots(self, pub: EstimatorPub) -> int:
        """Shots of every measured circuit; 0 where exact values are asked for."""
        precision = pub.precision or self.default_precision
        return shots_of_precision(precision) if precision else 0

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1: values are plain means."""
        return 1.0

    def _run_pub(self, pub: EstimatorPub) -> PubResult:
        qubits = active_qubits(pub.circuit, pub.observables, dynamic=True)
        _check_simulable(qubits)
        digest = circuit_digest(pub.circuit)
        shots = shots_of_precision(pub.precision)
        plan = _Plan.of(pub, qubits)
        seed = content_seed(self.seed, pub_digest(pub, digest))
        circuits = [self._measured(pub.circuit, digest, qubits, g.basis) for g in plan.groups]
        counts: list[list[dict[str, int]]] = []
        if circuits:
            simulator = self._simulator(qubits).simulator
            run = partial(
                simulator.run, shots=shots, seed_simulator=seed, **_method(simulator, pub)
            )
            counts = _counts(run, pub, plan, circuits)
        evs, stds = plan.estimate(counts, shots)
        executed = sum(len(rows) for rows in plan.rows)
        return PubResult(
            DataBin(evs=evs, stds=stds, shape=evs.shape),
            metadata={
                "target_precision": pub.precision,
                "shots": shots,
                "circuits": executed,
                "executions": executed * shots,
                "measurement_groups": len(plan.groups),
                "active_qubits": list(qubits),
                "circuit_metadata": pub.circuit.metadata,
            },
        )

    def _with_noise(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """The circuit with what a simulator's noise model can't say.

        Raises:
            CircuitError: That is something, and the circuit measures in its middle.
        """
        written = self._written_out(circuit)
        if written is not circuit and measures_in_its_middle(circuit):
            raise CircuitError(
                "the circuit measures in its middle, where this noise has crosstalk or delays: it "
                "runs under noise without them, and on 'aer' and 'statevector'"
            )
        return written

    def _simulator(self, qubits: tuple[int, ...]) -> ReducedSimulator:
        return self._simulators.get(qubits, lambda: self._reduced(qubits))

    def _measured(
        self, circuit: QuantumCircuit, digest: str, qubits: tuple[int, ...], basis: dict[int, str]
    ) -> QuantumCircuit:
        """The reduced circuit with the rotations into `basis` and its measurements."""
        return self._circuits.get(
            (digest, qubits, tuple(sorted(basis.items()))),
            lambda: _with_measurements(
                restrict_circuit(self._with_noise(circuit), qubits),
                basis,
                self._simulator(qubits).target,
            ),
        )


@dataclass(frozen=True)
class _Plan:
    """What to measure for a pub, and how to read the values off the counts.

    S is the number of elements of the broadcast pub, B the number of parameter rows.
    """

    shape: tuple[int, ...]
    expansions: list[dict[Term, float]]  # one per observable
    row_shape: tuple[int, ...]
    observable_shape: tuple[int, ...]
    groups: list[MeasurementGroup]
    rows: list[NDArray[np.intp]]  # per group, the sorted parameter rows that need it

    @classmethod
    def of(cls, pub: EstimatorPub, qubits: tuple[int, ...]) -> _Plan:
        observables = restrict_observables(pub.observables, qubits)
        expansions = [pauli_terms(o) for o in observables.sparse_observables_array().ravel()]
        row_shape, observable_shape = pub.parameter_values.shape, observables.shape
        groups = group_qubit_wise(term for terms in expansions for term in terms)
        users = [
            np.array([bool(group.terms & terms.keys()) for terms in expansions], dtype=bool)
            for group in groups
        ]
        rows = [_needed_rows(used.reshape(observable_shape), row_shape) for used in users]
        return cls(pub.shape, expansions, row_shape, observable_shape, groups, rows)

    @cached_property
    def row_of(self) -> NDArray[np.intp]:
        """(S,) the parameter row of each element."""
        return np.broadcast_to(_indices(self.row_shape), self.shape).reshape(-1)

    @cached_property
    def observable_of(self) -> NDArray[np.intp]:
        """(S,) the observable of each element."""
        return np.broadcast_to(_indices(self.observable_shape), self.shape).reshape(-1)

    def estimate(
        self, counts: list[list[dict[str, int]]], shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard errors in the pub's shape."""
        constants = np.array([terms.get((), 0.0) for terms in self.expansions])
        evs = constants[self.observable_of].astype(float)  # (S,)
        variances = np.zeros_like(evs)
        for group, rows, per_row in zip(self.groups, self.rows, counts, strict=True):
            outcomes = _Outcomes.of(per_row, sorted(group.basis))
            for index, terms in enumerate(self.expansions):
                mine = {term: c for term, c in terms.items() if term in group.terms}
                if not mine:
                    continue
                means, spread = outcomes.moments(mine, shots)  # (rows,)
                elements = np.flatnonzero(self.observable_of == index)
                where = np.searchsorted(rows, self.row_of[elements])
                evs[elements] += means[where]
                variances[elements] += spread[where] / shots
        return evs.reshape(self.shape), np.sqrt(variances).reshape(self.shape)


def _indices(shape: tuple[int, ...]) -> NDArray[np.intp]:
    return np.arange(math.prod(shape), dtype=np.intp).reshape(shape)


def _needed_rows(used: NDArray[np.bool_], rows: tuple[int, ...]) -> NDArray[np.intp]:
    """The rows that meet a used observable when both are broadcast, ascending.

    The broadcast itself is not made: it may have a hundred million elements.
    """
    dims = max(used.ndim, len(rows))
    padded = (1,) * (dims - len(rows)) + rows
    mask = used.reshape((1,) * (dims - used.ndim) + used.shape)
    for axis, size in enumerate(padded):
        if size == 1:
            mask = np.asarray(mask.any(axis=axis, keepdims=True))
    return np.flatnonzero(np.broadcast_to(mask, padded))


@dataclass(frozen=True)
class _Outcomes:
    """The counts of many rows in flat arrays; bit i of an outcome is the i-th measured qubit."""

    bit: dict[int, int]
    values: NDArray[np.uint64]  # (K,) outcomes of all rows, one row after the other
    weights: NDArray[np.float64]  # (K,) how often each occurred
    starts: NDArray[np.intp]  # (rows,) where each row begins

    @classmethod
    def of(cls, per_row: list[dict[str, int]], measured: list[int]) -> _Outcomes:
        sizes = [len(counts) for counts in per_row]
        total = sum(sizes)
        read = (1 << len(measured)) - 1  # behind them are bits that the circuit itself measures
        keys = (int(key, 16) & read for counts in per_row for key in counts)
        numbers = (number for counts in per_row for number in counts.values())
        return cls(
            bit={qubit: i for i, qubit in enumerate(measured)},
            values=np.fromiter(keys, dtype=np.uint64, count=total),
            weights=np.fromiter(numbers, dtype=np.float64, count=total),
            starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
        )

    def moments(
        self, terms: dict[Term, float], shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance over the shots of Σ coefficient·(±1), per row.

        A single shot shows no variance: there the largest that is possible is stated.
        """
        combined = np.zeros(len(self.values))
        for term, coefficient in terms.items():
            mask = np.uint64(sum(1 << self.bit[qubit] for qubit, _ in term))
            combined += coefficient * _signs(self.values & mask)
        means = np.add.reduceat(self.weights * combined, self.starts) / shots
        squares = np.add.reduceat(self.weights * combined**2, self.starts) / shots
        if shots == 1:
            return means, np.full_like(means, sum(map(abs, terms.values())) ** 2)
        return means, np.maximum(squares - means**2, 0.0)


def _method(simulator: Any, pub: EstimatorPub) -> dict[str, str]:
    """What is asked of a simulator beside its own options.

    Behind a measurement Aer runs every shot by itself: a state then draws from the same
    distribution as a density matrix, for one 2ⁿ-th of the work.
    """
    measures = pub.circuit.has_control_flow_op() or "measure" in pub.circuit.count_ops()
    by_shot = measures and simulator.options.method == "density_matrix"
    return {"method": "statevector"} if by_shot else {}


def _counts(
    run: Callable[..., Any], pub: EstimatorPub, plan: _Plan, circuits: Sequence[QuantumCircuit]
) -> list[list[dict[str, int]]]:
    """Counts per group and row, from one Aer job.

    Args:
        run: Of the simulator, with shots and seed.
        pub: Whose parameter values are bound.
        plan: Which rows a group needs.
        circuits: The measured circuit of every group.
    """
    names = pub.circuit.parameters
    # (rows, P)
    values = pub.parameter_values.as_array(names).reshape(pub.parameter_values.size, -1)
    runnable, binds = [], []
    for circuit, rows in zip(circuits, plan.rows, strict=True):
        # Without parameters there is nothing to broadcast over: the circuit is repeated.
        copies = 1 if len(names) else len(rows)
        runnable += [circuit] * copies
        # The cached circuit may hold other Parameter objects of the same names.
        bound = {p: values[rows, i] for i, p in enumerate(circuit.parameters)}
        binds += [bound] * copies
    arguments: dict[str, Any] = {"parameter_binds": binds} if len(names) else {}
    result = run(runnable, **arguments).result()
    if not result.success:
        raise BackendError(f"the Aer simulation failed: {result.status}")
    flat = iter([experiment.data.counts for experiment in result.results])
    return [[next(flat) for _ in rows] for rows in plan.rows]


def _signs(masked: NDArray[np.uint64]) -> NDArray[np.float64]:
    """(−1)^(number of set bits)."""
    folded = masked.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(shift)
    return 1.0 - 2.0 * (folded & np.uint64(1)).astype(np.float64)


def _check_simulable(qubits: tuple[int, ...]) -> None:
    if len(qubits) > MAX_ACTIVE_QUBITS:
        raise CapacityError(
            f"the circuit uses {len(qubits)} qubits; the sampling simulator takes at most "
            f"{MAX_ACTIVE_QUBITS}"
        )


def basis_change(num_qubits: int, basis: dict[int, str], target: Target | None) -> QuantumCircuit:
    """Rotates each qubit of `basis` to Z in the target's own gates (None: in h and sdg)."""
    rotation = QuantumCircuit(num_qubits)
    for qubit, letter in sorted(basis.items()):
        if letter == "Y":
            rotation.sdg(qubit)
        if letter in "XY":
            rotation.h(qubit)
    if target is not None:
        with transpiling:
            rotation = PassManager([Optimize1qGatesDecomposition(target=target)]).run(rotation)
    return rotation


def _with_measurements(
    circuit: QuantumCircuit, basis: dict[int, str], target: Target | None
) -> QuantumCircuit:
    """The circuit with a change of basis and its measurements."""
    rotation = basis_change(circuit.num_qubits, basis, target)
    measured = QuantumCircuit(circuit.num_qubits, global_phase=circuit.global_phase)
    measured.add_bits([*(Clbit() for _ in basis), *circuit.clbits])
    for register in circuit.cregs:
        measured.add_register(register)
    measured.compose(circuit, clbits=circuit.clbits, inplace=True, copy=False)
    measured.compose(rotation, inplace=True)
    measured.measure(sorted(basis), range(len(basis)))
    return measured


def compiler_for(
    target: Target,
    options: BackendOptions,
    date: str | None = None,
    dynamic: Target | None = None,
) -> Compiler:
    """The compiler that a backend's options ask for.

    Args:
        target: The device.
        options: What it was opened with.
        date: When the target was calibrated.
        dynamic: The device for circuits that measure in their middle, which nothing mitigates.

    Raises:
        MitigationError: The mitigation takes no gates of any angle, and the device has no others.
    """
    if not all(step.fractional for step in options.steps):
        target = without_fractional_gates(target)
    plain = options.mitigation == "none" and options.tiles == "none" and not options.fractional
    return Compiler(
        target,
        options.optimization_level,
        options.seed,
        trials=options.layout_trials,
        calibration_date=date,
        dynamic=dynamic if plain else None,
        fractional=options.fractional,
    )
