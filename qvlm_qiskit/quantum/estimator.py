"""The exact engine as a Qiskit primitive."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit import QuantumCircuit
from qiskit.primitives import PrimitiveResult, PubResult
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers import DataBin
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.primitive_job import PrimitiveJob
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.errors import BackendError, InputError
from qvlm_qiskit.quantum.program import compile_circuit
from qvlm_qiskit.quantum.statevector import StatevectorEngine

_REAL = {"complex64": torch.float32, "complex128": torch.float64}


class TorchEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Expectation values from batched statevectors in torch, on CPU or CUDA.

    Exact unless a precision is asked for: with a precision p > 0 (of the call, the pub or
    ``default_precision``) every value is drawn from a normal distribution of that standard
    deviation around the exact one, as Qiskit's ``StatevectorEstimator`` does.

    In a :class:`~qvlm_qiskit.quantum.QuantumLayer` this estimator is differentiated by autograd,
    without going through pubs.
    """

    def __init__(
        self,
        noise_model: None = None,
        device: str | torch.device | None = None,
        dtype: str = "complex64",
        seed: int | None = None,
        *,
        default_precision: float = 0.0,
    ) -> None:
        """Create an estimator.

        Args:
            noise_model: Only None: this engine is noise-free.
            device: Where pubs run, by default the CPU. A layer runs where its input is.
            dtype: ``"complex64"`` or ``"complex128"``. A layer computes float64 inputs in
                complex128 whatever is set here.
            seed: Of the sampled values.
            default_precision: Precision of calls and pubs that bring none; 0 is exact.

        Raises:
            BackendError: A noise model was given, or the device is not there.
            InputError: Unknown dtype or negative precision.
        """
        if noise_model is not None:
            raise BackendError(
                "TorchEstimator is noise-free; open_backend('noisy:…') runs a noise model"
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
        self._rng = np.random.default_rng(seed)

    @property
    def real_dtype(self) -> torch.dtype:
        """The real dtype of the engine's precision."""
        return _REAL[self.dtype]

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Evaluate pubs; see the class for what a precision does.

        Raises:
            CircuitError: From the job's result: a circuit that can't be run exactly.
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
        return PrimitiveResult([self._run_pub(pub, rng) for pub in pubs], metadata={"version": 2})

    def _run_pub(self, pub: EstimatorPub, rng: np.random.Generator) -> PubResult:
        parameters = pub.circuit.parameters
        shape = pub.parameter_values.shape
        rows = pub.parameter_values.as_array(parameters).reshape(math.prod(shape), len(parameters))
        row_index = np.arange(rows.shape[0]).reshape(shape)
        row_index, flat_observables = np.broadcast_arrays(row_index, pub.observables)
        observables, columns = _distinct(flat_observables, pub.circuit.num_qubits)
        values = self.values(pub.circuit, observables, rows)
        evs = np.asarray(values[row_index, columns])
        stds = np.zeros_like(evs)
        if pub.precision > 0:
            evs = np.asarray(rng.normal(evs, pub.precision))
            stds = np.full_like(evs, pub.precision)
        metadata = {
            "target_precision": pub.precision,
            "exact": pub.precision == 0,
            "circuit_metadata": pub.circuit.metadata,
        }
        return PubResult(DataBin(evs=evs, stds=stds, shape=evs.shape), metadata=metadata)

    def values(
        self, circuit: QuantumCircuit, observables: Sequence[SparsePauliOp], rows: Any
    ) -> npt.NDArray[np.float64]:
        """Exact values of all observables for all parameter rows: ``(n_rows, n_observables)``.

        Args:
            circuit: Parametrised circuit.
            observables: On the circuit's qubits.
            rows: ``(n_rows, n_parameters)`` in the order of ``circuit.parameters``.
        """
        engine = StatevectorEngine(compile_circuit(circuit), observables, circuit.num_parameters)
        batched = torch.as_tensor(np.asarray(rows), dtype=self.real_dtype, device=self.device)
        with torch.no_grad():
            result = engine.expectations(batched, batched.new_zeros(0))
        values: npt.NDArray[np.float64] = result.double().cpu().numpy()
        return values


def _distinct(
    observables: npt.NDArray[Any], num_qubits: int
) -> tuple[list[SparsePauliOp], npt.NDArray[np.intp]]:
    """The distinct observables of a broadcast array, and for every element its index among them."""
    order: dict[tuple[tuple[str, float], ...], int] = {}
    columns = np.empty(observables.shape, dtype=np.intp)
    for position in np.ndindex(observables.shape):
        key = tuple(sorted(observables[position].items()))
        columns[position] = order.setdefault(key, len(order))
    operators = [
        SparsePauliOp.from_list(list(key) or [("I" * num_qubits, 0.0)], num_qubits=num_qubits)
        for key in order
    ]
    return operators, columns
