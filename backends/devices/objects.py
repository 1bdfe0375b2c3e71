"""Backends from objects instead of names: any `BackendV2`, and any noise model of Aer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_aer.noise.passes import RelaxationNoisePass
from qiskit_ibm_runtime import IBMBackend
from qiskit_ibm_runtime.fake_provider.fake_backend import FakeBackendV2

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.devices.aer import AER_GATES, AER_GATES_2Q
from qvlm_qiskit.backends.devices.fake import on_fake_device
from qvlm_qiskit.backends.devices.ibm import on_machine
from qvlm_qiskit.backends.devices.sampling import (
    DEFAULT_SHOTS,
    PARALLEL,
    ReducedSimulator,
    SampledEstimator,
)
from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.active_qubits import restrict_target
from qvlm_qiskit.backends.pubs.shots import precision_of_shots
from qvlm_qiskit.backends.table import PARAMETRIC_QUBITS
from qvlm_qiskit.errors import InputError

ACCEPTED = ("shots", "precision", "mitigation", "seed", "optimization_level", "layout_trials")


def open_object(given: Any, options: BackendOptions) -> Backend:
    """The backend that an object is.

    An `IBMBackend` is hardware; a fake device, or Qiskit's `GenericBackendV2`, runs behind the
    Runtime client's local mode as ``fake_*`` does; a noise model, or an `AerSimulator` with one,
    is sampled by Aer; any other `BackendV2` runs measured circuits by its own ``run``.

    Raises:
        InputError: Another object, or an option that it doesn't take.
    """
    if isinstance(given, IBMBackend):
        return on_machine(given, options)
    if isinstance(given, FakeBackendV2 | GenericBackendV2):
        return on_fake_device(given, options)
    if isinstance(given, AerSimulator):
        return _on_noise_model(given.options.noise_model or NoiseModel(), options)
    if isinstance(given, NoiseModel):
        return _on_noise_model(given, options)
    if isinstance(given, BackendV2):
        note = "runs by the backend's own run(): nothing is known of what its jobs cost"
        return _sampled(str(given.name), given.target, _OwnRuns(given), options, notes=(note,))
    raise InputError(
        "a backend is opened by its name, a BackendV2 or an Aer NoiseModel, not by "
        f"{type(given).__name__}"
    )


def _on_noise_model(model: NoiseModel, options: BackendOptions) -> Backend:
    described = json.dumps(model.to_dict(serializable=True), sort_keys=True)
    digest = hashlib.sha256(described.encode()).hexdigest()
    gates = set(model.basis_gates) & {*AER_GATES, *AER_GATES_2Q, "id", "ecr", "rx", "sxdg"}
    if not model.noise_instructions:  # its basis says nothing then
        gates = {*AER_GATES, *AER_GATES_2Q}
    target = Target.from_configuration(
        [*sorted(gates), "delay", "measure"], num_qubits=PARAMETRIC_QUBITS
    )
    return _sampled(
        f"NoiseModel {digest[:8]}",
        target,
        _NoisyAer(model),
        options,
        noise={"name": "NoiseModel", "basis_gates": sorted(gates), "sha256": digest},
    )


def _sampled(
    name: str, target: Target, reduced: Any, options: BackendOptions, **about: Any
) -> Backend:
    offer = offered("other")
    options.only(name, ACCEPTED, offer.mitigations, reasons=offer.reasons)
    precision = options.sampling_precision or precision_of_shots(DEFAULT_SHOTS)
    known = MitigatedDevice(target, None, options.seed, "other")
    return Backend(
        name=name,
        kind="simulated shots",
        num_qubits=target.num_qubits,
        options=options,
        device=SampledEstimator(reduced, options.seed, precision),
        compiler=compiler_for(target, options, dynamic=target),
        wrappers=mitigation_wrappers(options.steps, known),
        default_precision=precision,
        device_options={"object": name},
        mitigations=offer.mitigations,
        **about,
    )


@dataclass(frozen=True)
class _NoisyAer:
    """Aer simulators with a noise model's part for some qubits."""

    model: NoiseModel

    def __call__(self, qubits: tuple[int, ...]) -> ReducedSimulator:
        part = on_qubits(self.model, qubits)
        return ReducedSimulator(partial(AerSimulator, noise_model=part, **PARALLEL), None)


def on_qubits(model: NoiseModel, qubits: Sequence[int]) -> NoiseModel:
    """The part of a noise model for some qubits, which are counted from 0 then."""
    position = {qubit: i for i, qubit in enumerate(qubits)}
    kept = NoiseModel(basis_gates=model.basis_gates)
    for name, error in model._default_quantum_errors.items():  # noqa: SLF001
        kept.add_all_qubit_quantum_error(error, name)
    if model._default_readout_error is not None:  # noqa: SLF001
        kept.add_all_qubit_readout_error(model._default_readout_error)  # noqa: SLF001
    for name, placed in model._local_quantum_errors.items():  # noqa: SLF001
        for where, error in placed.items():
            if set(where) <= set(position):
                own = [position[qubit] for qubit in where]
                kept.add_quantum_error(error, name, own, warnings=False)
    for where, error in model._local_readout_errors.items():  # noqa: SLF001
        if set(where) <= set(position):
            kept.add_readout_error(error, [position[qubit] for qubit in where], warnings=False)
    for own in model._custom_noise_passes:  # noqa: SLF001
        kept._custom_noise_passes.append(_relaxing(own, qubits))  # noqa: SLF001
    return kept


def _relaxing(own: Any, qubits: Sequence[int]) -> RelaxationNoisePass:
    """The part for some qubits of the pass that relaxes qubits during delays.

    Raises:
        InputError: A pass of another sort, of which no part is known.
    """
    if not isinstance(own, RelaxationNoisePass) or own._ops != (Delay,):  # noqa: SLF001
        raise InputError(
            f"the noise model has a pass of its own ({type(own).__name__}), which can't be cut "
            "down to the qubits of a circuit: only relaxation during delays can"
        )
    known = len(own._t1s)  # noqa: SLF001
    columns = [
        [values[qubit] if qubit < known else default for qubit in qubits]
        for values, default in ((own._t1s, np.inf), (own._t2s, np.inf), (own._p1s, 0.0))  # noqa: SLF001
    ]
    t1s, t2s, excited = columns
    return RelaxationNoisePass(t1s, t2s, own._dt, Delay, excited)  # noqa: SLF001


@dataclass(frozen=True)
class _OwnRuns:
    """A device's own ``run`` for measured circuits on some of its qubits."""

    device: BackendV2

    def __call__(self, qubits: tuple[int, ...]) -> ReducedSimulator:
        runner = _Runner(self.device, qubits)
        return ReducedSimulator(lambda: runner, restrict_target(self.device.target, qubits))


@dataclass(frozen=True)
class _Runner:
    """What `SampledEstimator` asks of a simulator, answered by a device."""

    device: BackendV2
    qubits: tuple[int, ...]

    def run(
        self,
        circuits: Sequence[QuantumCircuit],
        shots: int,
        seed_simulator: int,
        parameter_binds: Sequence[Mapping[Any, Any]] | None = None,
    ) -> Any:
        """Bind, place on the device's qubits, and run as one job."""
        binds = parameter_binds or [{} for _ in circuits]
        bound = [
            self._placed(row)
            for circuit, values in zip(circuits, binds, strict=True)
            for row in _rows(circuit, values)
        ]
        known = {"shots": shots}
        if hasattr(self.device.options, "seed_simulator"):
            known["seed_simulator"] = seed_simulator
        result = self.device.run(bound, **known).result()
        counts = [_hexadecimal(result.get_counts(index)) for index in range(len(bound))]
        answers = [SimpleNamespace(data=SimpleNamespace(counts=found)) for found in counts]
        finished = SimpleNamespace(success=True, status="done", results=answers)
        return SimpleNamespace(result=lambda: finished)

    def _placed(self, circuit: QuantumCircuit) -> QuantumCircuit:
        placed = QuantumCircuit(self.device.num_qubits, circuit.num_clbits)
        return placed.compose(circuit, self.qubits, range(circuit.num_clbits))


def _rows(circuit: QuantumCircuit, values: Mapping[Any, Any]) -> list[QuantumCircuit]:
    if not values:
        return [circuit]
    columns = {parameter: np.atleast_1d(column) for parameter, column in values.items()}
    count = len(next(iter(columns.values())))
    rows = [{p: float(column[i]) for p, column in columns.items()} for i in range(count)]
    return [circuit.assign_parameters(row) for row in rows]


def _hexadecimal(counts: Mapping[str, int]) -> dict[str, int]:
    return {hex(int(bits.replace(" ", ""), 2)): number for bits, number in counts.items()}
