"""The exact engine as a Qiskit primitive."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from qiskit import QuantumCircuit
from qiskit.primitives import PrimitiveResult, PubResult
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers import DataBin
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.primitive_job import PrimitiveJob
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.late_definitions import by_row, needs_values
from qvlm_qiskit.errors import BackendError, InputError
from qvlm_qiskit.quantum.density.by_cones import noisy_engine
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram, compile_noisy
from qvlm_qiskit.quantum.density.readout import sampled
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.noise import NoiseChannels, NoiseSource
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.program.circuit_key import circuit_key
from qvlm_qiskit.quantum.program.cones import width_under_noise
from qvlm_qiskit.quantum.split import SplitEngine
from qvlm_qiskit.quantum.statevector.by_cones import exact_engine
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

MAX_ENGINES = 64
"""How many circuits' compiled programs an estimator remembers."""
LARGE_QUBITS = 12
"""Of circuits with more qubits only the last one is remembered: a table of 2ⁿ numbers takes 32 KB
at 12 qubits and 32 MB at 22, and a program has dozens."""

E = TypeVar("E")

_REAL = {"complex64": torch.float32, "complex128": torch.float64}


class TorchEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Expectation values from batched states in torch, on CPU or CUDA.

    Exact unless a precision is asked for (of the call, the pub or ``default_precision``): with a
    precision p > 0 every value is drawn from a normal distribution of that standard deviation
    around the exact one, as Qiskit's ``StatevectorEstimator`` does.

    With a noise model states are density matrices, and circuits have to be ISA circuits of the
    device that the model describes: every gate is followed by its noise, and what is measured is
    turned to Z by the device's own noisy gates and read with its readout error. A precision p > 0
    then draws ⌈1/p²⌉ shots per measured circuit from the outcomes' distribution.

    Of a wide circuit each light cone has a state of its own where all of it would not fit, or would
    take far longer; only samples under noise are drawn of all qubits together.

    In a :class:`~qvlm_qiskit.quantum.QuantumLayer` this estimator is differentiated by autograd,
    without going through pubs.
    """

    def __init__(
        self,
        noise_model: NoiseSource | NoiseChannels | None = None,
        device: str | torch.device | None = None,
        dtype: str = "complex64",
        seed: int | None = None,
        *,
        default_precision: float = 0.0,
    ) -> None:
        """Create an estimator.

        Args:
            noise_model: A ``NoiseSpec``, or anything else that answers for its channels; None is
                noise-free.
            device: Where pubs run, by default the CPU. A layer runs where its input is.
            dtype: ``"complex64"`` or ``"complex128"``. A layer computes float64 inputs in
                complex128 whatever is set here.
            seed: Of the sampled values.
            default_precision: Precision of calls and pubs that bring none; 0 is exact.

        Raises:
            BackendError: The device is not there.
            InputError: Unknown dtype, negative precision, or a noise model of another kind.
        """
        if isinstance(noise_model, NoiseSource):
            noise_model = noise_model.channels()
        if noise_model is not None and not isinstance(noise_model, NoiseChannels):
            raise InputError(
                f"noise_model must be a NoiseSpec, got {type(noise_model).__name__}; Aer's noise "
                "models run on Aer's own estimators"
            )
        if dtype not in _REAL:
            raise InputError(f"dtype must be one of {', '.join(_REAL)}, got {dtype!r}")
        if not default_precision >= 0:
            raise InputError(f"precision must be 0 (exact) or positive, got {default_precision}")
        self.device = torch.device("cpu" if device is None else device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"device {self.device} was asked for, but torch sees no CUDA device")
        self.dtype = dtype
        self.seed = seed
        self.default_precision = float(default_precision)
        self.noise = noise_model
        self._rng = np.random.default_rng(seed)
        self._exact_engines: LruCache[Hashable, StatevectorEngine | SplitEngine] = LruCache(
            MAX_ENGINES
        )
        self._large: LruCache[Hashable, StatevectorEngine | SplitEngine] = LruCache(1)
        self._engines: LruCache[Hashable, DensityEngine | SplitEngine] = LruCache(MAX_ENGINES)
        self._sampled: LruCache[Hashable, DensityEngine] = LruCache(MAX_ENGINES)

    @property
    def real_dtype(self) -> torch.dtype:
        """The real dtype of the engine's precision."""
        return _REAL[self.dtype]

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Evaluate pubs; see the class for what a precision does.

        Raises:
            CircuitError: From the job's result: a circuit that can't be run here.
            CapacityError: From the job's result: more qubits than a state of this kind can hold.
        """
        default = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, default) for pub in pubs]
        # a stream per job: jobs run in threads of their own, in any order
        job = PrimitiveJob(self._run, coerced, self._rng.spawn(1)[0])
        job._submit()  # noqa: SLF001  (the base class offers no public way)
        return job

    def _run(
        self, pubs: Sequence[EstimatorPub], rng: np.random.Generator
    ) -> PrimitiveResult[PubResult]:
        return PrimitiveResult([self.evaluate(pub, rng) for pub in pubs], metadata={"version": 2})

    def evaluate(self, pub: EstimatorPub, rng: np.random.Generator) -> PubResult:
        """The result of one pub.

        Args:
            pub: With its precision; 0 is exact.
            rng: Where sampled values come from.

        Raises:
            InputError: Parameter values that are not finite.
        """
        known = () if self.noise else (HamiltonianEvolution,)
        if needs_values(pub.circuit, known) and pub.size:
            pubs, merge = by_row(pub)
            return merge([self.evaluate(row, rng) for row in pubs])
        parameters = pub.circuit.parameters
        shape = pub.parameter_values.shape
        rows = pub.parameter_values.as_array(parameters).reshape(math.prod(shape), len(parameters))
        if not np.isfinite(rows).all():
            raise InputError("a pub's parameter values hold NaN or infinity")
        row_index = np.arange(rows.shape[0]).reshape(shape)
        row_index, flat_observables = np.broadcast_arrays(row_index, pub.observables)
        observables, columns = _distinct(flat_observables, pub.circuit.num_qubits)
        about = {"target_precision": pub.precision, "circuit_metadata": pub.circuit.metadata}
        if pub.precision > 0 and self.noise is not None:
            means, errors, counted = self._shots(pub, observables, rows, (row_index, columns), rng)
            evs, stds = means[row_index, columns], errors[row_index, columns]
            about.update(counted)
        else:
            evs = np.asarray(self.values(pub.circuit, observables, rows)[row_index, columns])
            stds = np.zeros_like(evs)
            about["exact"] = pub.precision == 0
            if pub.precision > 0:
                evs = np.asarray(rng.normal(evs, pub.precision))
                stds = np.full_like(evs, pub.precision)
        data = DataBin(evs=np.asarray(evs), stds=np.asarray(stds), shape=evs.shape)
        return PubResult(data, metadata=about)

    def values(
        self, circuit: QuantumCircuit, observables: Sequence[SparsePauliOp], rows: Any
    ) -> npt.NDArray[np.float64]:
        """Exact values of all observables for all parameter rows: ``(n_rows, n_observables)``.

        Args:
            circuit: Parametrised circuit.
            observables: On the circuit's qubits.
            rows: ``(n_rows, n_parameters)`` in the order of ``circuit.parameters``.
        """
        engine: StatevectorEngine | DensityEngine | SplitEngine
        if self.noise is None:
            engine = self._exact_engine(circuit, observables)
            batched, shared = self._tensor(rows), self._tensor(np.zeros(0))
        else:
            noisy = self._noisy(circuit, observables, rows, noisy_engine, self._engines)
            engine, batched, shared = noisy
        with torch.no_grad():
            result = engine.expectations(batched, shared, dtype=self.real_dtype)
        values: npt.NDArray[np.float64] = result.double().cpu().numpy()
        return values

    def engine(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[SparsePauliOp],
        parameters: Sequence[Any],
        num_batched: int,
    ) -> StatevectorEngine | DensityEngine | SplitEngine:
        """What computes exact values of a circuit, differentiably: see the engines' classes.

        Args:
            circuit: Parametrised circuit; an ISA circuit if there is noise.
            observables: On the circuit's qubits.
            parameters: The order of the parameters.
            num_batched: How many leading parameters are given per sample.

        Raises:
            CircuitError: A circuit that can't be run here.
            CapacityError: More qubits than a state of this kind can hold.
        """
        if self.noise is None:
            return exact_engine(circuit, observables, parameters, num_batched)
        program = compile_noisy(circuit, self.noise, parameters)
        return noisy_engine(program, observables, num_batched)

    def width_under_noise(
        self, circuit: QuantumCircuit, observables: Sequence[SparsePauliOp]
    ) -> int:
        """The most qubits that a light cone has at a time: what :meth:`engine` needs states of.

        Args:
            circuit: Compiled or not; compiling rarely makes cones narrower.
            observables: On its qubits.
        """
        return width_under_noise(circuit, observables)

    def _shots(
        self,
        pub: EstimatorPub,
        observables: Sequence[SparsePauliOp],
        rows: npt.NDArray[Any],
        wanted: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
        rng: np.random.Generator,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], dict[str, Any]]:
        """Means and standard errors ``(n_rows, n_observables)``, and what was run for them."""
        engine, batched, shared = self._noisy(
            pub.circuit, observables, rows, DensityEngine, self._sampled
        )
        shots = math.ceil(1.0 / pub.precision**2)
        outcomes = [
            p.double().cpu().numpy() for p in engine.outcomes(batched, shared, self.real_dtype)
        ]
        means, errors = sampled(engine.groups, outcomes, shots, rng)
        measured = [group for group in engine.groups if group.basis]
        # a row is measured in the bases that its own observables need
        needed = [np.flatnonzero(group.weights[1:].any(0)) for group in measured]
        circuits = sum(len(np.unique(wanted[0][np.isin(wanted[1], used)])) for used in needed)
        return (
            means,
            errors,
            {
                "shots": shots,
                "circuits": circuits,
                "executions": circuits * shots,
                "measurement_groups": len(measured),
            },
        )

    def _exact_engine(
        self, circuit: QuantumCircuit, observables: Sequence[SparsePauliOp]
    ) -> StatevectorEngine | SplitEngine:
        kept = self._large if circuit.num_qubits > LARGE_QUBITS else self._exact_engines
        return kept.get(
            (circuit_key(circuit), _labels(observables)),
            lambda: exact_engine(circuit, observables, None, circuit.num_parameters),
        )

    def _noisy(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[SparsePauliOp],
        rows: npt.NDArray[Any],
        make: Callable[[NoisyProgram, Sequence[SparsePauliOp], int], E],
        kept: LruCache[Hashable, E],
    ) -> tuple[E, torch.Tensor, torch.Tensor]:
        """The engine for these rows; values that all rows have in common are shared."""
        noise = self.noise
        assert noise is not None
        varying = np.flatnonzero((rows != rows[:1]).any(axis=0)).tolist()
        common = sorted(set(range(rows.shape[1])) - set(varying))
        order = [circuit.parameters[i] for i in [*varying, *common]]
        engine = kept.get(
            (circuit_key(circuit), _labels(observables), tuple(varying)),
            lambda: make(compile_noisy(circuit, noise, order), observables, len(varying)),
        )
        first = rows[0, common] if len(rows) else np.zeros(len(common))
        return engine, self._tensor(rows[:, varying]), self._tensor(first)

    def _tensor(self, values: npt.NDArray[Any]) -> torch.Tensor:
        # angles are computed in doubles, whatever precision the states have
        return torch.as_tensor(np.asarray(values), dtype=torch.float64, device=self.device)


def _labels(observables: Sequence[SparsePauliOp]) -> Hashable:
    return tuple(tuple(observable.to_list()) for observable in observables)


def _distinct(
    observables: npt.NDArray[Any], num_qubits: int
) -> tuple[list[SparsePauliOp], npt.NDArray[np.intp]]:
    """The distinct observables of a broadcast array, and for every element its index among them."""
    order: dict[tuple[tuple[str, float], ...], int] = {}
    columns = np.empty(observables.shape, dtype=np.intp)
    for position in np.ndindex(observables.shape):
        key = tuple(sorted(observables[position].items()))
        columns[position] = order.setdefault(key, len(order))
    nothing = SparsePauliOp("I" * num_qubits, 0.0)
    operators = [
        as_pauli_sum(SparseObservable.from_list(list(key))) if key else nothing for key in order
    ]
    return operators, columns
