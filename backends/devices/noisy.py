"""One estimator for noisy simulation: the density-matrix engine, or shots on Aer beyond it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Literal, cast

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.devices.fake_devices import fake_device, rep_delay_seconds
from qvlm_qiskit.backends.devices.fake_files import fake_files
from qvlm_qiskit.backends.devices.noise_by_name import open_noise
from qvlm_qiskit.backends.devices.sampling import (
    DEFAULT_SHOTS,
    DENSITY_MATRIX_QUBITS,
    PARALLEL,
    ReducedSimulator,
    SampledEstimator,
    basis_change,
    compiler_for,
)
from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.limits import IBM_LIMITS, NO_LIMITS
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits, restrict_target
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.shots import content_seed, precision_of_shots
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.backends.table import OWN, PARAMETRIC_QUBITS, noisy_names
from qvlm_qiskit.errors import CapacityError, InputError, UnknownNameError
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    NoiseSpec,
    build,
    restricted,
    scaled,
    spec_target,
    split_terms,
    with_crosstalk,
)

Method = Literal["auto", "density", "aer"]

DENSITY_QUBITS = 10
"""The most active qubits that "auto" gives to the density-matrix engine, and that it takes."""


class NoisyEstimator(BaseEstimatorV2):
    """Runs every ISA pub on this package's density-matrix engine, or as shots on Aer.

    Both read the same noise description, measure the same circuits with the same noisy basis
    changes, and report the same metadata; `metadata["method"]` says which one answered. The
    engine gives exact values too (precision 0), and it is differentiable.

    Args:
        density: Makes the engine's ``TorchEstimator``; called when it is first needed.
        sampled: Shots on Aer.
        method: "density", "aer", or "auto": the engine for up to `DENSITY_QUBITS` active qubits.
        seed: Equal pubs with an equal seed give equal samples; None draws fresh ones each time.
        default_precision: For pubs that name none; 0 is exact.
    """

    def __init__(
        self,
        density: Callable[[], Any],
        sampled: SampledEstimator,
        method: Method,
        seed: int | None,
        default_precision: float,
    ) -> None:
        self.sampled = sampled
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
            CircuitError: Measurements, control flow, delays, or gates that the device lacks.
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
            CapacityError: More active qubits than the engine takes.
        """
        if self.default_precision > 0 or self.method == "aer":
            return None
        return self.density.engine(circuit, observables, parameters, num_batched)

    def check_differentiable(self, circuit: QuantumCircuit) -> None:
        """Refuse a circuit, compiled or not, that `differentiable` would refuse for its size.

        Raises:
            CapacityError: It acts on more qubits than the engine takes.
        """
        acting = _acting(circuit)
        if self.default_precision == 0 and acting > DENSITY_QUBITS:
            raise CapacityError(
                f"the circuit acts on {acting} qubits; gradients under noise go through density "
                f"matrices of at most {DENSITY_QUBITS}. Train on 'statevector' and evaluate under "
                "noise with shots, which Aer's trajectories run (method='aer'), or use a smaller "
                "encoding"
            )

    def _run_pub(self, pub: EstimatorPub) -> PubResult:
        qubits = active_qubits(pub.circuit, pub.observables)
        if self._takes(pub):
            rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
            result = self.density.evaluate(pub, rng)
        elif pub.precision or self.method == "aer":
            result = self.sampled.run([pub]).result()[0]
        else:
            raise CapacityError(
                f"exact values under noise need the density-matrix engine, which takes at most "
                f"{DENSITY_QUBITS} active qubits; this circuit has {len(qubits)}. Ask for shots: "
                "Aer's trajectories run them"
            )
        method = "density" if self._takes(pub) else "aer"
        about = {**result.metadata, "method": method, "active_qubits": list(qubits)}
        return PubResult(result.data, about)

    def _takes(self, pub: EstimatorPub) -> bool:
        """Whether the engine runs the pub; with "density" it refuses itself what is too large."""
        if self.method != "auto":
            return self.method == "density"
        return _acting(pub.circuit) <= DENSITY_QUBITS


def _acting(circuit: QuantumCircuit) -> int:
    """How many qubits some instruction acts on."""
    return len({bit for item in circuit.data if item.name != "barrier" for bit in item.qubits})


ACCEPTED = OWN["noisy:"].accepted


@register("noisy:")
def open_noisy(name: str, options: BackendOptions) -> Backend:
    """Density matrices, or shots on Aer, with noise from a calibration, a file or a formula."""
    offer = offered("noisy")
    options.only(name, ACCEPTED, offer.mitigations, exact=True, reasons=offer.reasons)
    exact = options.precision == 0
    if options.method == "aer":
        _check_aer(options, exact)
    source = name.removeprefix("noisy:")
    spec = _noise(name, source, options.max_age_days)
    base = split_terms(source)[0]
    target = _target(spec, base)
    date = None if spec.snapshot is None else spec.snapshot.calibrated_utc
    delay = rep_delay_seconds(fake_device(base)) if base in fake_files() else None
    precision = options.sampling_precision
    if precision is None:
        precision = precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="exact" if exact else "simulated shots",
        num_qubits=target.num_qubits,
        options=options,
        device=_estimator(spec, target, options, precision),
        compiler=compiler_for(target, options, date),
        wrappers=mitigation_wrappers(
            options.steps,
            MitigatedDevice(
                target,
                lambda qubits: scaled(restricted(spec, qubits), options.noise_scale),
                options.seed,
                "noisy",
            ),
        ),
        default_precision=precision,
        device_options={
            "noise_scale": options.noise_scale,
            "noise_sha256": spec.digest(),
            "method": options.method,
            "density_qubits": DENSITY_QUBITS,
            "dtype": options.dtype or "complex128",
        },
        noise={**spec.summary(), "noise_scale": options.noise_scale},
        mitigations=offer.mitigations,
        rep_delay_seconds=delay,
        limits=NO_LIMITS if delay is None else IBM_LIMITS,
    )


def _check_aer(options: BackendOptions, exact: bool) -> None:
    if exact:
        raise InputError(
            "method='aer' draws shots; exact values (precision=0) need method='density' or 'auto'"
        )
    for name in ("device", "dtype"):
        if getattr(options, name) is not None:
            raise InputError(f"{name}= belongs to this package's engine, not to method='aer'")


def _noise(name: str, source: str, max_age_days: float | None) -> NoiseSpec:
    try:
        return open_noise(source, max_age_days=max_age_days)
    except UnknownNameError as ex:
        if "(" in source:
            raise
        raise UnknownNameError("backend", name, noisy_names()) from ex


def _target(spec: NoiseSpec, base: str) -> Target:
    if base in fake_files():
        return fake_device(base).target
    if spec.qubits:
        return spec_target(spec)
    names = [*spec.basis_gates, "measure"]
    return Target.from_configuration(names, num_qubits=PARAMETRIC_QUBITS)


def _estimator(
    spec: NoiseSpec, target: Target, options: BackendOptions, precision: float
) -> NoisyEstimator:
    # What circuits don't use is never scaled: a device's broken qubits are no obstacle.
    sources = tuple(source.scaled(options.noise_scale) for source in spec.sources)
    crosstalk = replace(spec, sources=sources)
    channels = ChannelNoise(spec, partial(_rotation, target), options.noise_scale)
    sampled = SampledEstimator(
        _simulators(spec, target, options.noise_scale),
        options.seed,
        precision or None,
        written_out=lambda circuit: with_crosstalk(circuit, crosstalk),
    )
    estimator = NoisyEstimator(
        lambda: _torch_estimator(channels, options),
        sampled,
        cast(Method, options.method),
        options.seed,
        precision,
    )
    if options.device is not None:
        _ = estimator.density  # a device that is not there is refused now
    return estimator


def _torch_estimator(channels: ChannelNoise, options: BackendOptions) -> Any:
    from qvlm_qiskit.quantum import TorchEstimator

    dtype = options.dtype or "complex128"
    return TorchEstimator(noise_model=channels, device=options.device, dtype=dtype)


def _rotation(target: Target, qubit: int, pauli: str) -> QuantumCircuit:
    return basis_change(target.num_qubits, {qubit: pauli}, target)


Simulators = Callable[[tuple[int, ...]], ReducedSimulator]


def _simulators(spec: NoiseSpec, target: Target, factor: float) -> Simulators:
    def reduced(qubits: tuple[int, ...]) -> ReducedSimulator:
        part = scaled(restricted(spec, qubits), factor)
        own = restrict_target(target, qubits) if spec.qubits else target
        return ReducedSimulator(_simulator(part, len(qubits)), own)

    return reduced


def _simulator(spec: NoiseSpec, num_qubits: int) -> Any:
    if spec.is_noise_free:
        return AerSimulator(method="statevector", **PARALLEL)
    method = "density_matrix" if num_qubits <= DENSITY_MATRIX_QUBITS else "automatic"
    # Aer fuses density-matrix gates from 7 qubits on; merging pays from 5, measured.
    fusion = {"fusion_threshold": 1} if num_qubits > 4 else {"fusion_enable": False}
    return AerSimulator(noise_model=build(spec), method=method, **fusion, **PARALLEL)
