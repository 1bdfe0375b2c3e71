"""Openers of Aer without noise, on the CPU and on GPUs; its exact values can be differentiated."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.controlflow import get_control_flow_name_mapping
from qiskit.primitives import PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.devices.sampling import PARALLEL, ReducedSimulator, SampledEstimator
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.table import OWN, UNENTANGLED_QUBITS
from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import BackendError, FallbackWarning, InputError

AER_GATES = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "u")
# without cp: Aer 0.18 runs it with angle 0 when its value comes as a parameter binding
AER_GATES_2Q = ("cx", "cy", "cz", "swap", "rxx", "ryy", "rzz")
AER_DEVICES = ("cpu", "gpu", "auto")


@register("aer")
def open_aer(name: str, options: BackendOptions) -> Backend:
    """Aer without noise: on the CPU, or with device="auto" on a GPU where one answers.

    Raises:
        InputError: Another device, or what doesn't go with the method.
    """
    if options.method == "matrix_product_state":
        return _matrix_products(name, options)
    _refuse(options, ("max_bond_dimension", "truncation_threshold"), "matrix_product_state")
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


@register("aer-gpu")
def open_aer_gpu(name: str, options: BackendOptions) -> Backend:
    """Aer without noise on a GPU; never on the CPU instead."""
    options.only(name, OWN["aer-gpu"].accepted, ("none",))
    check_gpu()
    return _noise_free(name, options, "GPU")


class MatrixProductAer(AerEstimator):  # type: ignore[misc]
    """Aer's estimator on matrix product states: its values are as good as what is cut off.

    Args:
        cut: What is cut off, for the metadata of results.
        run_options: Of every run.
    """

    def __init__(self, cut: Mapping[str, Any], run_options: Mapping[str, Any]) -> None:
        self.cut = dict(cut)
        given = {_AER_NAMES[key]: value for key, value in cut.items() if value is not None}
        backend_options = {"method": "matrix_product_state", "device": "CPU", **PARALLEL, **given}
        super().__init__(
            options={"backend_options": backend_options, "run_options": dict(run_options)}
        )

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Evaluate pubs; every result's metadata names the method and what is cut off.

        Raises:
            InputError: A precision: these values are computed, not sampled.
            BackendError: From the job's result: Aer can't run a circuit.
        """
        coerced = [EstimatorPub.coerce(pub, precision or 0.0) for pub in pubs]
        if any(pub.precision for pub in coerced):
            raise InputError(
                "a matrix product state's values are computed, not sampled: leave out the precision"
            )
        return MappedJob(super().run(coerced), self._described)

    def _described(self, result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
        about = {"method": "matrix_product_state", **self.cut}
        described = [PubResult(one.data, {**one.metadata, **about}) for one in result]
        return PrimitiveResult(described, metadata=result.metadata)


_AER_NAMES = {
    "max_bond_dimension": "matrix_product_state_max_bond_dimension",
    "truncation_threshold": "matrix_product_state_truncation_threshold",
}


class ExactAer(AerEstimator):  # type: ignore[misc]
    """Aer's estimator, whose exact values autograd differentiates: one run per batch."""

    @property
    def real_dtype(self) -> Any:
        """The real torch dtype that `differentiable`'s engine computes in."""
        import torch

        return torch.float64

    def check_differentiable(self, circuit: QuantumCircuit, observables: Sequence[Any]) -> None:
        """Every circuit that Aer runs exactly can be differentiated."""

    def differentiable(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[Any],
        parameters: Sequence[Any],
        num_batched: int,
    ) -> Any:
        """An engine that reads values from Aer's states, and gradients by one sweep back.

        Aer runs a batch's rows in one call. Its states are copied to the host, where the sweep is
        done, also from a GPU.

        Args:
            circuit: The ISA circuit.
            observables: `SparsePauliOp`s on its qubits.
            parameters: The order of the parameters.
            num_batched: How many leading parameters are given per sample.

        Raises:
            CircuitError: The circuit is not unitary.
            CapacityError: More qubits than the memory holds.
        """
        from qvlm_qiskit.quantum.statevector.simulated import SimulatedEngine

        simulate = partial(simulated_states, self._backend, self.options.run_options)
        device = self._backend.options.device
        name = "Aer" if device == "CPU" else f"Aer on a {device}"
        return SimulatedEngine(circuit, observables, parameters, num_batched, simulate, name)


def simulated_states(
    simulator: AerSimulator,
    run_options: dict[str, Any] | None,
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    values: npt.NDArray[np.float64],
) -> npt.NDArray[np.complex128]:
    """Final states ``(B, 2**n)`` of a circuit for rows of values ``(B, n_parameters)``: one run.

    Gates' angles have to be parameters, not expressions, which Aer binds one by one in Python.

    Raises:
        BackendError: Aer can't run the circuit.
    """
    saved = circuit.copy()
    saved.save_statevector()
    free = len(parameters) > 0
    result = simulator.run(
        saved,
        parameter_binds=[dict(zip(parameters, values.T, strict=True))] if free else None,
        # the circuit is made once and filled by Aer, not by Python once per row
        runtime_parameter_bind_enable=free,
        **(run_options or {}),
    ).result()
    if not result.success:
        raise BackendError(f"Aer could not run the circuit: {result.status}")
    rows = len(values) if free else 1
    states = np.stack([np.asarray(result.data(i)["statevector"]) for i in range(rows)])
    return states if free else np.repeat(states, len(values), axis=0)


def check_one_aer() -> None:
    """Make sure that the package ``qiskit_aer`` was installed once.

    Raises:
        BackendError: Two distributions wrote it, and its files are some of each.
    """
    found = [name for name in ("qiskit-aer", "qiskit-aer-gpu") if _installed(name)]
    if len(found) > 1:
        raise BackendError(
            "qiskit-aer and qiskit-aer-gpu are both installed, which are one package twice: "
            "pip uninstall qiskit-aer qiskit-aer-gpu, then pip install one of them"
        )


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def check_gpu() -> None:
    """Make sure that Aer runs on a GPU here.

    Raises:
        BackendError: Aer was built without GPU support, or no GPU answers.
    """
    check_one_aer()
    available = AerSimulator().available_devices()
    if "GPU" not in available:
        raise BackendError(
            f"Aer on a GPU needs an Aer build with GPU support and a GPU; this one offers "
            f"{', '.join(available)}. Open 'aer', or put the other build in its place: pip "
            "uninstall qiskit-aer, then pip install qiskit-aer-gpu"
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
    options.only(name, OWN[name].accepted, ("none",))
    configuration = {"method": "statevector", "device": device, **PARALLEL}
    simulator = AerSimulator(**configuration)
    target = Target.from_configuration(
        [*AER_GATES, *AER_GATES_2Q, "delay", "measure"], num_qubits=_most_qubits(simulator)
    )
    precision = options.sampling_precision
    if precision is None:
        run_options = {} if options.seed is None else {"seed_simulator": options.seed}
        estimator: Any = ExactAer(
            options={"backend_options": configuration, "run_options": run_options}
        )
    else:
        reduced = ReducedSimulator(lambda: simulator, target=None)
        estimator = SampledEstimator(lambda _: reduced, options.seed, precision)
    return Backend(
        name=name,
        kind="exact" if precision is None else "simulated shots",
        num_qubits=_most_qubits(simulator),
        options=options,
        device=estimator,
        # exact values come from states, which single outcomes have many of
        compiler=compiler_for(
            target, options, dynamic=None if precision is None else _dynamic_target(simulator)
        ),
        default_precision=precision,
        device_options={"device": device},
        notes=notes,
    )


def _dynamic_target(simulator: AerSimulator) -> Target:
    names = [*AER_GATES, *AER_GATES_2Q, "delay", "measure", "reset"]
    target = Target.from_configuration(names, num_qubits=_most_qubits(simulator))
    for name, operation in get_control_flow_name_mapping().items():
        target.add_instruction(operation, name=name)
    return target


def _matrix_products(name: str, options: BackendOptions) -> Backend:
    """Aer's matrix product states on the CPU.

    Raises:
        InputError: Shots, a precision or a GPU.
    """
    options.only(name, OWN[name].accepted, ("none",))
    _refuse(options, ("shots", "precision"), "statevector")
    if options.device not in (None, "cpu"):
        raise InputError(f"device is {options.device!r}; a matrix product state runs on 'cpu'")
    cut = {key: getattr(options, key) for key in _AER_NAMES}
    run_options = {} if options.seed is None else {"seed_simulator": options.seed}
    target = Target.from_configuration(
        [*AER_GATES, *AER_GATES_2Q, "delay", "measure"], num_qubits=UNENTANGLED_QUBITS
    )
    return Backend(
        name=name,
        kind="approximate",
        num_qubits=UNENTANGLED_QUBITS,
        options=options,
        device=MatrixProductAer(cut, run_options),
        compiler=compiler_for(target, options),
        device_options={"device": "CPU", "method": "matrix_product_state", **cut},
    )


def _refuse(options: BackendOptions, names: Sequence[str], method: str) -> None:
    """Refuse options that go with another method.

    Raises:
        InputError: One was given.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(f"backend 'aer' takes {name}= with method={method!r}")


def _most_qubits(simulator: AerSimulator) -> int:
    """What Aer says it takes, and no more than fits into the memory while it is worked on."""
    return min(int(simulator.num_qubits), state_qubits())
