"""Opener of noisy simulation: a noise by its name, in front of one of two methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.fractional import chosen_gates
from qvlm_qiskit.backends.devices.fake_devices import fake_device, rep_delay_seconds
from qvlm_qiskit.backends.devices.fake_files import fake_files
from qvlm_qiskit.backends.devices.noise_by_name import open_noise
from qvlm_qiskit.backends.devices.noisy_estimator import DENSITY_QUBITS, Method, NoisyEstimator
from qvlm_qiskit.backends.devices.packed import (
    offered_with,
    packed,
    tile_notes,
    tile_settings,
    wrappers_for,
)
from qvlm_qiskit.backends.devices.sampling import (
    DEFAULT_SHOTS,
    DENSITY_MATRIX_QUBITS,
    PARALLEL,
    ReducedSimulator,
    SampledEstimator,
    basis_change,
    compiler_for,
)
from qvlm_qiskit.backends.mitigation import MitigatedDevice, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.limits import IBM_LIMITS, NO_LIMITS
from qvlm_qiskit.backends.pubs.active_qubits import restrict_target
from qvlm_qiskit.backends.pubs.shots import precision_of_shots
from qvlm_qiskit.backends.table import OWN, PARAMETRIC_QUBITS, noisy_names
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    NoiseSpec,
    ZZCrosstalk,
    build,
    restricted,
    scaled,
    spec_target,
    split_terms,
    with_crosstalk,
    with_idle,
)
from qvlm_qiskit.noise_models.channels.crosstalk import crosstalk_angle

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
    target = chosen_gates(name, _target(spec, base), options)
    crosstalk = options.noise_scale * crosstalk_angle(spec.sources) != 0
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
        device=packed(
            _estimator(spec, target, options, precision), target, options, crosstalk=crosstalk
        ),
        compiler=compiler_for(
            target, options, date, dynamic=target if _runs_dynamic(spec, options) else None
        ),
        wrappers=wrappers_for(
            MitigatedDevice(
                target,
                lambda qubits: scaled(restricted(spec, qubits), options.noise_scale),
                options.seed,
                "noisy",
                date,
            ),
            options,
            crosstalk=crosstalk,
        ),
        default_precision=precision,
        device_options={
            "noise_scale": options.noise_scale,
            "noise_sha256": spec.digest(),
            "method": options.method,
            "density_qubits": DENSITY_QUBITS,
            "dtype": options.dtype or "complex128",
            **tile_settings(options, crosstalk=crosstalk),
        },
        noise={**spec.summary(), "noise_scale": options.noise_scale},
        mitigations=offered_with(offer.mitigations, options),
        rep_delay_seconds=delay,
        limits=NO_LIMITS if delay is None else IBM_LIMITS,
        notes=tile_notes(options, crosstalk=crosstalk),
    )


def _runs_dynamic(spec: NoiseSpec, options: BackendOptions) -> bool:
    """Whether Aer runs what measures in its middle as it is; crosstalk is written into circuits."""
    crosstalk = any(isinstance(source, ZZCrosstalk) for source in spec.sources)
    return options.precision != 0 and options.method != "density" and not crosstalk


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
    names = [*dict.fromkeys((*spec.basis_gates, "delay", "measure"))]
    return Target.from_configuration(names, num_qubits=PARAMETRIC_QUBITS)


def _estimator(
    spec: NoiseSpec, target: Target, options: BackendOptions, precision: float
) -> NoisyEstimator:
    # What circuits don't use is never scaled: a device's broken qubits are no obstacle.
    sources = tuple(source.scaled(options.noise_scale) for source in spec.sources)
    crosstalk = replace(spec, sources=sources)
    written = _WrittenOut(crosstalk, target.dt, options.noise_scale)
    tiled = options.tiles != "none"
    channels = ChannelNoise(spec, partial(_rotation, target), options.noise_scale, target.dt)
    sampled = SampledEstimator(
        _simulators(spec, target, options.noise_scale),
        options.seed,
        precision or None,
        written_out=written,
        in_parts=tiled,
    )
    estimator = NoisyEstimator(
        lambda: _torch_estimator(channels, options),
        sampled,
        cast(Method, options.method),
        options.seed,
        precision,
        written if tiled else None,
    )
    if options.device is not None:
        _ = estimator.density  # a device that is not there is refused now
    return estimator


@dataclass(frozen=True)
class _WrittenOut:
    """What Aer's noise models can't say, written into a circuit: crosstalk and delays.

    Attributes:
        spec: With sources that are scaled already.
        dt: Seconds of the unit "dt".
        factor: On the noise of qubits.
    """

    spec: NoiseSpec
    dt: float | None
    factor: float

    def __call__(self, circuit: QuantumCircuit) -> QuantumCircuit:
        used = {circuit.find_bit(bit).index for item in circuit.data for bit in item.qubits}
        # a broken qubit that can't be scaled is no obstacle to circuits that don't use it
        qubits = [
            noise.scaled(self.factor) if number in used else noise
            for number, noise in enumerate(self.spec.qubits)
        ]
        disturbed = with_crosstalk(circuit, self.spec)
        return with_idle(disturbed, qubits, self.spec.sources, self.dt)


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
        return ReducedSimulator(lambda: _simulator(part, len(qubits)), own)

    return reduced


def _simulator(spec: NoiseSpec, num_qubits: int) -> Any:
    if spec.is_noise_free:
        return AerSimulator(method="statevector", **PARALLEL)
    method = "density_matrix" if num_qubits <= DENSITY_MATRIX_QUBITS else "automatic"
    # Aer fuses density-matrix gates from 7 qubits on; merging pays from 5, measured.
    fusion = {"fusion_threshold": 1} if num_qubits > 4 else {"fusion_enable": False}
    return AerSimulator(noise_model=build(spec), method=method, **fusion, **PARALLEL)
