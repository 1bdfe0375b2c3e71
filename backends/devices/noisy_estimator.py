"""Pubs under noise: on this package's density-matrix engine where it can, else as shots on Aer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.devices.sampling import SampledEstimator
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.components import Part, Written, parts, together
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.gathered import gathered
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.backends.pubs.unmeasured import measures_in_its_middle
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.errors import CapacityError

Method = Literal["auto", "density", "aer"]

DENSITY_QUBITS = 10
"""The most qubits of a density matrix: active ones for shots, a light cone's at a time for exact
values."""


class NoisyEstimator(BaseEstimatorV2):
    """Runs every ISA pub on this package's density-matrix engine, or as shots on Aer.

    Both read the same noise description, measure the same circuits with the same noisy basis
    changes, and report the same metadata; `metadata["method"]` says which one answered. The
    engine gives exact values too (precision 0), and it is differentiable.

    Args:
        density: Makes the engine's ``TorchEstimator``; called when it is first needed.
        sampled: Shots on Aer.
        method: "density", "aer", or "auto": the engine for exact values and for shots of up to
            `DENSITY_QUBITS` active qubits.
        seed: Equal pubs with an equal seed give equal samples; None draws fresh ones each time.
        default_precision: For pubs that name none; 0 is exact.
        written: Given, circuits are simulated in parts between which nothing acts; it writes into
            a circuit what acts beside its own gates.
    """

    def __init__(
        self,
        density: Callable[[], Any],
        sampled: SampledEstimator,
        method: Method,
        seed: int | None,
        default_precision: float,
        written: Written | None = None,
    ) -> None:
        self.sampled = sampled
        self.written = written
        self.method: Method = method
        self.seed = seed
        self.default_precision = default_precision
        self._make = density

    @cached_property
    def density(self) -> Any:
        """The engine's estimator."""
        return self._make()

    @property
    def real_dtype(self) -> Any:
        """The real torch dtype that `differentiable`'s engine computes in."""
        return self.density.real_dtype

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Run the pubs.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none; 0 is exact, otherwise ⌈1/precision²⌉ shots per
                measured circuit.

        Raises:
            InputError: Precision 0 with method "aer".
            CircuitError: Measurements, control flow, or gates that the device lacks.
            CapacityError: More active qubits than the method takes.
            BackendError: Aer fails.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        results = [self._run_pub(pub) for pub in coerced]
        return FinishedJob(PrimitiveResult(results, metadata={"version": 2}))

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """The circuits that `run` would measure, as one job, on the engine or on Aer."""
        return self.sampled.jobs(pubs)

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1: values are plain means."""
        return self.sampled.error_gain(pub)

    def differentiable(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[Any],
        parameters: Sequence[Any],
        num_batched: int,
    ) -> Any | None:
        """The engine of an ISA circuit, which autograd differentiates; None if values are sampled.

        Args:
            circuit: The ISA circuit.
            observables: `SparsePauliOp`s on its qubits.
            parameters: The order of the parameters.
            num_batched: How many leading parameters are given per sample.

        Raises:
            CapacityError: A light cone of more qubits at a time than the engine takes.
        """
        if self.default_precision > 0 or self.method == "aer":
            return None
        return self.density.engine(circuit, observables, parameters, num_batched)

    def check_differentiable(self, circuit: QuantumCircuit, observables: Sequence[Any]) -> None:
        """Refuse a circuit, compiled or not, that `differentiable` would refuse for its size.

        Args:
            circuit: The circuit.
            observables: `SparsePauliOp`s on its qubits.

        Raises:
            CapacityError: An observable depends on more qubits at a time than the engine takes.
        """
        if self.default_precision > 0 or self.method == "aer":
            return
        width = self.density.width_under_noise(circuit, observables)
        if width > DENSITY_QUBITS:
            raise CapacityError(
                f"an observable depends on {width} qubits at a time; gradients under noise go "
                f"through density matrices of at most {DENSITY_QUBITS}. Train on 'statevector' and "
                "evaluate under noise with shots, which Aer's trajectories run (method='aer'), or "
                "use a smaller encoding"
            )

    def _run_pub(self, pub: EstimatorPub) -> PubResult:
        split = parts(pub, self.written) if self.written is not None else None
        return self._run_whole(pub) if split is None else self._run_parts(pub, split)

    def _run_parts(self, pub: EstimatorPub, split: Sequence[Part]) -> PubResult:
        """Every part by itself; executions are those of the whole circuit."""
        answers = [self._run_whole(part.pub) for part in split]
        evs, stds = together(pub, split, [(one.data.evs, one.data.stds) for one in answers])
        work = self.jobs([pub])[0]
        about = {
            **gathered([answer.metadata for answer in answers]),
            "circuits": sum(one.circuits for one in work),
            "executions": sum(one.executions for one in work),
            "active_qubits": sorted(q for one in answers for q in one.metadata["active_qubits"]),
            "simulated_parts": len(split),
        }
        return PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), about)

    def _run_whole(self, pub: EstimatorPub) -> PubResult:
        qubits = active_qubits(pub.circuit, pub.observables, dynamic=self.method != "density")
        takes = self._takes(pub, len(qubits))
        if takes:
            rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
            result = self.density.evaluate(pub, rng)
        else:
            result = self.sampled.run([pub]).result()[0]
        method = "density" if takes else "aer"
        about = {**result.metadata, "method": method, "active_qubits": list(qubits)}
        return PubResult(result.data, about)

    def _takes(self, pub: EstimatorPub, active: int) -> bool:
        """Whether the engine runs the pub; with "density" it refuses itself what is too large.

        Args:
            pub: The pub.
            active: How many qubits have a gate or are measured.
        """
        if self.method != "auto":
            return self.method == "density"
        if measures_in_its_middle(pub.circuit):
            return False
        # of exact values the engine says itself which light cone is too wide
        return not pub.precision or active <= DENSITY_QUBITS
