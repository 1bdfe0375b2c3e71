"""Opener of noisy simulation: a noise by its name, in front of one of two methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.compilation.fractional import chosen_gates
from qvlm_qiskit.backends.compilation.measured_circuits import basis_change
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
    check_kinds,
    kinds_of,
    only_kinds,
    read_kinds,
    read_noise_model,
    restricted,
    scaled,
    spec_target,
    split_terms,
    with_crosstalk,
    with_idle,
)
from qvlm_qiskit.noise_models.channels.crosstalk import crosstalk_angle
from qvlm_qiskit.noise_models.channels.parts import qubit_part, source_parts

ACCEPTED = OWN["noisy:"].accepted


@register("noisy:")
def open_noisy(name: str, options: BackendOptions) -> Backend:
    """Density matrices, or shots on Aer, with noise from a calibration, a file or a formula."""
    _check(name, options)
    source = name.removeprefix("noisy:")
    spec = _noise(name, source, options.max_age_days)
    return _opened(name, spec, split_terms(source)[0], options)


def open_noise_model(given: Any, options: BackendOptions) -> Backend:
    """The same with Aer's noise model, or a description, in place of a noise by its name.

    Raises:
        InputError: Another object, or an option that is not for simulated noise.
        NoiseModelError: A noise model that no description can say, or a stale calibration.
    """
    if not isinstance(given, NoiseModel | NoiseSpec):
        raise InputError(
            f"noise_model takes an Aer NoiseModel or a NoiseSpec, not {type(given).__name__}"
        )
    kind = type(given).__name__
    spec = given if isinstance(given, NoiseSpec) else read_noise_model(given)
    name = f"noisy:{kind}-{spec.digest()[:8]}"
    _check(name, options)
    spec.check_age(options.max_age_days)
    return _opened(name, spec, "", options)


def _check(name: str, options: BackendOptions) -> None:
    """Refuse options and techniques that simulated noise does not take."""
    offer = offered("noisy")
    options.only(name, ACCEPTED, offer.mitigations, exact=True, reasons=offer.reasons)
    if options.method == "aer":
        _check_aer(options, options.precision == 0)


def _opened(name: str, spec: NoiseSpec, base: str, options: BackendOptions) -> Backend:
    """The machine with a noise.

    Args:
        name: Of the backend.
        spec: The noise.
        base: The fake device that the noise is of, if it is of one.
        options: What is asked for.
    """
    check_kinds(name, options.error_kinds, kinds_of(spec) if options.error_kinds != "all" else ())
    target = chosen_gates(name, _target(spec, base), options)
    kept = source_parts(spec.sources, read_kinds(options.error_kinds))
    crosstalk = options.noise_scale * crosstalk_angle(kept) != 0
    date = None if spec.snapshot is None else spec.snapshot.calibrated_utc
    delay = rep_delay_seconds(fake_device(base)) if base in fake_files() else None
    precision = options.sampling_precision
    if precision is None:
        precision = precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="exact" if options.precision == 0 else "simulated shots",
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
                partial(_part, spec, options),
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
            **_kept(options),
            "method": options.method,
            "density_qubits": DENSITY_QUBITS,
            "dtype": options.dtype or "complex128",
            **tile_settings(options, crosstalk=crosstalk),
        },
        noise={**spec.summary(), "noise_scale": options.noise_scale, **_kept(options)},
        mitigations=offered_with(offered("noisy").mitigations, options),
        rep_delay_seconds=delay,
        limits=NO_LIMITS if delay is None else IBM_LIMITS,
        notes=tile_notes(options, crosstalk=crosstalk),
    )


def _kept(options: BackendOptions) -> dict[str, str]:
    """What a description says of the kinds of error, where some are left out."""
    return {} if options.error_kinds == "all" else {"error_kinds": options.error_kinds}


def _part(spec: NoiseSpec, options: BackendOptions, qubits: tuple[int, ...]) -> NoiseSpec:
    """The noise of some qubits: scaled, then the kinds that are asked for."""
    strong = scaled(restricted(spec, qubits), options.noise_scale)
    return only_kinds(strong, read_kinds(options.error_kinds))


def _runs_dynamic(spec: NoiseSpec, options: BackendOptions) -> bool:
    """Whether Aer runs what measures in its middle as it is; crosstalk is written into circuits."""
    sources = source_parts(spec.sources, read_kinds(options.error_kinds))
    crosstalk = any(isinstance(source, ZZCrosstalk) for source in sources)
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
    kinds = read_kinds(options.error_kinds)
    factor = options.noise_scale
    sources = source_parts((source.scaled(factor) for source in spec.sources), kinds)
    written = _WrittenOut(replace(spec, sources=sources), target.dt, factor, kinds)
    tiled = options.tiles != "none"
    channels = ChannelNoise(spec, partial(_rotation, target), factor, target.dt, kinds)
    sampled = SampledEstimator(
        _simulators(spec, target, options),
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
        kinds: Kinds of error that are kept of it.
    """

    spec: NoiseSpec
    dt: float | None
    factor: float
    kinds: frozenset[str]

    def __call__(self, circuit: QuantumCircuit) -> QuantumCircuit:
        used = {circuit.find_bit(bit).index for item in circuit.data for bit in item.qubits}
        # a broken qubit that can't be scaled is no obstacle to circuits that don't use it
        qubits = [
            qubit_part(noise.scaled(self.factor), self.kinds) if number in used else noise
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


def _simulators(spec: NoiseSpec, target: Target, options: BackendOptions) -> Simulators:
    def reduced(qubits: tuple[int, ...]) -> ReducedSimulator:
        part = _part(spec, options, qubits)
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
