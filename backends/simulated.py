"""Openers of the simulators: torch statevectors, Aer, and Aer with noise."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, register
from qvlm_qiskit.backends.compile import Compiler
from qvlm_qiskit.backends.fakes import (
    calibration_date,
    fake_device,
    fake_qubits,
    rep_delay_seconds,
)
from qvlm_qiskit.backends.mitigation import WRAPPED_MITIGATIONS, mitigation_wrappers
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.reduce import restrict_target
from qvlm_qiskit.backends.sampling import (
    DEFAULT_SHOTS,
    DENSITY_MATRIX_QUBITS,
    ReducedSimulator,
    SampledEstimator,
)
from qvlm_qiskit.backends.shots import precision_of_shots
from qvlm_qiskit.errors import (
    BackendError,
    FallbackWarning,
    InputError,
    QVLMError,
    UnknownNameError,
)
from qvlm_qiskit.noise_models import NoiseSpec, build, calibrated, parse_parametric, scaled

# Any placement; the parametric noise knows no device.
PARAMETRIC_QUBITS = 20
PARAMETRIC_EXAMPLE = "noisy:depolarizing(0.01)"
AER_GATES = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "u")
# without cp: Aer 0.18 runs it with angle 0 when its value comes as a parameter binding
AER_GATES_2Q = ("cx", "cy", "cz", "swap", "rxx", "ryy", "rzz")
# Rows side by side on the cores. Threads inside one small circuit wait for each other instead:
# measured 14 times slower at 4 qubits on a busy machine.
PARALLEL = {"max_parallel_experiments": 0}
SAMPLING = ("shots", "precision", "seed", "optimization_level", "layout_trials")


AER_DEVICES = ("cpu", "gpu", "auto")


def memory_qubits() -> int:
    """How many qubits' amplitudes, at 16 bytes each, this machine's memory holds."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(math.log2(memory_bytes / 16))


def _statevector_rows() -> Iterable[BackendRow]:
    what = "this package's torch engine, exact and batched"
    yield BackendRow("statevector", "exact", memory_qubits(), what)


def _aer_rows() -> Iterable[BackendRow]:
    what = "Aer statevectors on the CPU; real shots with shots="
    yield BackendRow("aer", "exact", memory_qubits(), what)


@register("statevector", kind="exact", what="torch engine", rows=_statevector_rows)
def open_statevector(name: str, options: BackendOptions) -> Backend:
    """The torch engine; sampled values when shots or a precision are given."""
    options.only(name, ("shots", "precision", "seed", "device", "dtype"), ("none",))
    try:
        from qvlm_qiskit.quantum import TorchEstimator
    except ImportError as ex:
        raise BackendError(f"backend 'statevector' needs qvlm_qiskit.quantum: {ex}") from ex
    chosen = {"device": options.device, "dtype": options.dtype}
    given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    precision = options.sampling_precision
    if precision is not None:
        given["default_precision"] = precision
    try:
        device = TorchEstimator(seed=options.seed, **given)
    except QVLMError:
        raise
    except RuntimeError as ex:
        # torch's own word for a device that doesn't exist
        raise InputError(
            f"device is {options.device!r}; backend {name!r} takes 'cpu', 'cuda' or 'cuda:<index>'"
        ) from ex
    return Backend(
        name=name,
        kind="exact" if precision is None else "simulated shots",
        num_qubits=memory_qubits(),
        options=options,
        device=device,
        default_precision=precision,
        device_options={key: value for key, value in given.items() if key != "default_precision"},
    )


@register("aer", kind="exact", what="Aer statevectors", rows=_aer_rows)
def open_aer(name: str, options: BackendOptions) -> Backend:
    """Aer without noise: on the CPU, or with device="auto" on a GPU where one answers.

    Raises:
        InputError: Another device.
    """
    asked = options.device or "cpu"
    if asked not in AER_DEVICES:
        raise InputError(f"device is {asked!r}; backend 'aer' takes {', '.join(AER_DEVICES)}")
    if asked == "cpu":
        return _noise_free(name, options, "CPU")
    try:
        check_gpu()
    except BackendError as ex:
        if asked == "gpu":
            raise
        note = f"runs on the CPU: {ex}"
        warnings.warn(f"backend 'aer', device='auto' {note}", FallbackWarning, stacklevel=3)
        return _noise_free(name, options, "CPU", (note,))
    return _noise_free(name, options, "GPU")


@register("aer-gpu", kind="exact", what="Aer statevectors on a CUDA GPU (needs qiskit-aer-gpu)")
def open_aer_gpu(name: str, options: BackendOptions) -> Backend:
    """Aer without noise on a GPU; never on the CPU instead."""
    options.only(name, SAMPLING, ("none",))
    check_gpu()
    return _noise_free(name, options, "GPU")


def check_gpu() -> None:
    """Make sure that Aer runs on a GPU here.

    Raises:
        BackendError: Aer was built without GPU support, or no GPU answers.
    """
    available = AerSimulator().available_devices()
    if "GPU" not in available:
        raise BackendError(
            f"Aer on a GPU needs an Aer build with GPU support and a GPU; this one offers "
            f"{', '.join(available)}. Install qiskit-aer-gpu instead of qiskit-aer, or open 'aer'"
        )
    probe = QuantumCircuit(1)
    probe.h(0)
    probe.measure_all()
    result = AerSimulator(method="statevector", device="GPU").run(probe, shots=1).result()
    if not result.success:
        raise BackendError(f"Aer on a GPU: no GPU answers ({result.status})")


def _noise_free(
    name: str, options: BackendOptions, device: str, notes: tuple[str, ...] = ()
) -> Backend:
    options.only(name, (*SAMPLING, "device") if name == "aer" else SAMPLING, ("none",))
    configuration = {"method": "statevector", "device": device, **PARALLEL}
    simulator = AerSimulator(**configuration)
    target = Target.from_configuration(
        [*AER_GATES, *AER_GATES_2Q, "measure"], num_qubits=simulator.num_qubits
    )
    precision = options.sampling_precision
    if precision is None:
        run_options = {} if options.seed is None else {"seed_simulator": options.seed}
        estimator: Any = AerEstimator(
            options={"backend_options": configuration, "run_options": run_options}
        )
    else:
        reduced = ReducedSimulator(simulator, target=None)
        estimator = SampledEstimator(lambda _: reduced, options.seed, precision)
    return Backend(
        name=name,
        kind="exact" if precision is None else "simulated shots",
        num_qubits=simulator.num_qubits,
        options=options,
        device=estimator,
        compiler=_compiler(target, options),
        default_precision=precision,
        device_options={"device": device},
        notes=notes,
    )


def _compiler(target: Target, options: BackendOptions, date: str | None = None) -> Compiler:
    return Compiler(
        target,
        options.optimization_level,
        options.seed,
        trials=options.layout_trials,
        calibration_date=date,
    )


def _noisy_rows() -> Iterable[BackendRow]:
    yield BackendRow(
        PARAMETRIC_EXAMPLE,
        "simulated shots",
        PARAMETRIC_QUBITS,
        "Aer, depolarising noise: p on cz, p/10 on sx and x",
    )
    for device, qubits in fake_qubits().items():
        what = f"Aer, noise from the calibration of {device}"
        yield BackendRow(f"noisy:{device}", "simulated shots", qubits, what)


@register("noisy:", kind="simulated shots", what="Aer with noise", rows=_noisy_rows)
def open_noisy(name: str, options: BackendOptions) -> Backend:
    """Shots on Aer with noise from a calibration or from a formula."""
    options.only(name, (*SAMPLING, "noise_scale"), WRAPPED_MITIGATIONS)
    source = name.removeprefix("noisy:")
    date = delay = None
    if source in fake_qubits():
        device = fake_device(source)
        target, num_qubits = device.target, device.num_qubits
        date, delay = calibration_date(device), rep_delay_seconds(device)
        summary = calibrated(target, name=source).summary()
        reduced = _calibrated_simulators(target, source, options.noise_scale)
    elif "(" in source:
        spec = scaled(parse_parametric(source), options.noise_scale)
        num_qubits = PARAMETRIC_QUBITS
        target = Target.from_configuration([*spec.basis_gates, "measure"], num_qubits=num_qubits)
        summary = spec.summary()
        reduced = _parametric_simulators(spec, target)
    else:
        raise UnknownNameError("backend", name, [row.name for row in _noisy_rows()])
    precision = options.sampling_precision or precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="simulated shots",
        num_qubits=num_qubits,
        options=options,
        device=SampledEstimator(reduced, options.seed, precision),
        compiler=_compiler(target, options, date),
        wrappers=mitigation_wrappers(options.mitigation, target),
        default_precision=precision,
        device_options={"noise_scale": options.noise_scale},
        noise={**summary, "noise_scale": options.noise_scale},
        mitigations=WRAPPED_MITIGATIONS,
        rep_delay_seconds=delay,
    )


Simulators = Callable[[tuple[int, ...]], ReducedSimulator]


def _calibrated_simulators(target: Target, name: str, factor: float) -> Simulators:
    def reduced(qubits: tuple[int, ...]) -> ReducedSimulator:
        spec = scaled(calibrated(target, qubits, name), factor)
        return ReducedSimulator(_simulator(spec, len(qubits)), restrict_target(target, qubits))

    return reduced


def _parametric_simulators(spec: NoiseSpec, target: Target) -> Simulators:
    def reduced(qubits: tuple[int, ...]) -> ReducedSimulator:
        return ReducedSimulator(_simulator(spec, len(qubits)), target)

    return reduced


def _simulator(spec: NoiseSpec, num_qubits: int) -> Any:
    if spec.is_noise_free:
        return AerSimulator(method="statevector", **PARALLEL)
    method = "density_matrix" if num_qubits <= DENSITY_MATRIX_QUBITS else "automatic"
    # Aer fuses density-matrix gates from 7 qubits on; merging pays from 5, measured.
    fusion = {"fusion_threshold": 1} if num_qubits > 4 else {"fusion_enable": False}
    return AerSimulator(noise_model=build(spec), method=method, **fusion, **PARALLEL)
