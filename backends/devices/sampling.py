"""An estimator that really measures: shots on an Aer simulator, with gate and readout noise.

Aer's own estimator reads expectation values off the state and adds Gaussian noise, so readout
errors never enter; here every value comes from counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.measured_circuits import with_measurements
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits, restrict_circuit
from qvlm_qiskit.backends.pubs.components import divided
from qvlm_qiskit.backends.pubs.counting import MeasurementPlan
from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
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
            plan = MeasurementPlan.of(pub, qubits)
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
        plan = MeasurementPlan.of(pub, qubits)
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
            lambda: with_measurements(
                restrict_circuit(self._with_noise(circuit), qubits),
                basis,
                self._simulator(qubits).target,
            ),
        )


def _method(simulator: Any, pub: EstimatorPub) -> dict[str, str]:
    """What is asked of a simulator beside its own options.

    Behind a measurement Aer runs every shot by itself: a state then draws from the same
    distribution as a density matrix, for one 2ⁿ-th of the work.
    """
    measures = pub.circuit.has_control_flow_op() or "measure" in pub.circuit.count_ops()
    by_shot = measures and simulator.options.method == "density_matrix"
    return {"method": "statevector"} if by_shot else {}


def _counts(
    run: Callable[..., Any],
    pub: EstimatorPub,
    plan: MeasurementPlan,
    circuits: Sequence[QuantumCircuit],
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


def _check_simulable(qubits: tuple[int, ...]) -> None:
    if len(qubits) > MAX_ACTIVE_QUBITS:
        raise CapacityError(
            f"the circuit uses {len(qubits)} qubits; the sampling simulator takes at most "
            f"{MAX_ACTIVE_QUBITS}"
        )
