"""Openers of the simulators without noise: torch statevectors, and Aer."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, register
from qvlm_qiskit.backends.compilation.compiler import Compiler
from qvlm_qiskit.backends.devices.sampling import ReducedSimulator, SampledEstimator
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.errors import BackendError, FallbackWarning, InputError, QVLMError

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
        compiler=compiler_for(target, options),
        default_precision=precision,
        device_options={"device": device},
        notes=notes,
    )


def compiler_for(target: Target, options: BackendOptions, date: str | None = None) -> Compiler:
    """The compiler that a backend's options ask for."""
    return Compiler(
        target,
        options.optimization_level,
        options.seed,
        trials=options.layout_trials,
        calibration_date=date,
    )
