"""From a `NoiseSpec` to Aer's noise model, and to a target that circuits compile for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Measure, Parameter
from qiskit.providers import QubitProperties
from qiskit.quantum_info import PTM, Kraus, SuperOp
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    phase_damping_error,
    thermal_relaxation_error,
)
from qiskit_aer.noise.device import basic_device_gate_errors

from qvlm_qiskit.noise_models.channels.idle import delay_ns, idle_times
from qvlm_qiskit.noise_models.channels.matrices import lindblad_ptm, over_rotation_unitary
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.description.gates import noisy_instruction, standard_gates
from qvlm_qiskit.noise_models.description.sources import (
    GATE_SOURCES,
    AmplitudeDamping,
    Depolarizing,
    GateSource,
    NoiseSource,
    OverRotation,
    PhaseDamping,
    is_silent,
)
from qvlm_qiskit.noise_models.description.spec import NoiseSpec

# −1 where two of I, X, Y, Z anticommute
_SIGNS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
MAX_TERMS = 256
"""An error of more circuits than this becomes one Kraus channel: Aer's sums grow as products."""


def build(spec: NoiseSpec) -> Any:
    """Build the Aer `NoiseModel` that `spec` describes.

    Gates with stated qubits get Aer's own device channel: thermal relaxation for the gate's
    duration, after as much depolarisation as the stated infidelity leaves. Gates for any qubits
    get a depolarising channel of the stated infidelity. The parametric sources follow in their
    order. Every measurement gets the readout error of its qubit. Idle qubits stay free of noise.

    Crosstalk acts on qubits outside the gate, which a noise model can't say: `with_crosstalk`
    writes it into the circuit.

    Returns:
        A `qiskit_aer.noise.NoiseModel` on the qubits 0 … len(spec.qubits) − 1.

    Raises:
        NoiseModelError: A gate that is no standard Qiskit gate, or an over-rotation of a gate that
            has no fixed angle.
    """
    spec.check()
    model = NoiseModel(basis_gates=[name for name in spec.basis_gates if name in standard_gates()])
    _add_readout(model, spec)
    anywhere = {gate.name: gate for gate in spec.gates if not gate.qubits}
    sourced = {
        name for source in spec.sources if isinstance(source, GATE_SOURCES) for name in source.gates
    }
    for name in [*anywhere, *sorted(sourced - set(anywhere))]:
        first = _anywhere_error(anywhere[name]) if name in anywhere else None
        width = anywhere[name].width if name in anywhere else noisy_instruction(name).num_qubits
        error = _followed(first, spec, name, width)
        if error is not None:
            model.add_all_qubit_quantum_error(error, name)
    for (name, qubits), channel in _placed(spec).items():
        error = _followed(channel, spec, name, len(qubits))
        if error is None or error.ideal():
            _keep_free(model, name, qubits)
        else:  # it is meant to take the place of what counts for any qubits
            model.add_quantum_error(error, name, qubits, warnings=False)
    return model


def spec_target(spec: NoiseSpec, noisy: bool = False) -> Any:
    """The device that `spec` describes, as a `Target` to compile for.

    Gates on one qubit that the description doesn't place are offered on every qubit; those on two
    that it has for any qubits are offered on every pair, where it places none on two qubits.

    Args:
        spec: A description with qubits.
        noisy: Leave out what has no error, and learned noise: for Aer's device model.
    """
    count = len(spec.qubits)
    target = Target(
        num_qubits=count,
        qubit_properties=[
            QubitProperties(t1=_seconds(q.t1_us, 1e-6), t2=_seconds(q.t2_us, 1e-6))
            for q in spec.qubits
        ],
    )
    by_name: dict[str, list[GateNoise]] = {}
    for gate in spec.gates:
        if gate.qubits:
            by_name.setdefault(gate.name, []).append(gate)
    for name, gates in by_name.items():
        properties: dict[Any, Any] = {
            gate.qubits: InstructionProperties(
                error=gate.error if noisy else gate.infidelity,
                duration=_seconds(gate.duration_ns, 1e-9),
            )
            for gate in gates
        }
        if noisy_instruction(name).num_qubits == 1 and not noisy:
            properties = {**{(q,): None for q in range(count)}, **properties}
        target.add_instruction(noisy_instruction(name), properties, name=name)
    if noisy:
        return target
    if not any(gate.width == 2 for gate in spec.gates if gate.qubits):
        for gate in spec.gates:
            if gate.width == 2 and count > 1:  # on every pair, whatever it is
                target.add_instruction(noisy_instruction(gate.name), name=gate.name)
    for name in spec.basis_gates:
        known = standard_gates().get(name)
        if known is not None and known.num_qubits == 1 and name not in by_name:
            target.add_instruction(known, {(q,): None for q in range(count)}, name=name)
    readout = {(q,): InstructionProperties(error=sum(spec.readout(q)) / 2) for q in range(count)}
    target.add_instruction(Measure(), readout)
    if "delay" not in target.operation_names:
        target.add_instruction(Delay(Parameter("t")), {(q,): None for q in range(count)})
    return target


def with_idle(
    circuit: QuantumCircuit,
    qubits: Sequence[QubitNoise],
    sources: Sequence[NoiseSource],
    dt: float | None,
) -> QuantumCircuit:
    """The circuit with the relaxation of every delay written out in its place, for Aer.

    Args:
        circuit: An ISA circuit.
        qubits: By index; empty where the noise is the same for all.
        sources: Parametric sources of error.
        dt: Seconds of the unit "dt".

    Raises:
        CircuitError: A delay whose duration is not known.
    """
    if not any(item.name == "delay" for item in circuit.data):
        return circuit
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    written = circuit.copy_empty_like()
    for item in circuit.data:
        if item.name != "delay":
            written.append(item)
            continue
        own = qubits[index[item.qubits[0]]] if qubits else QubitNoise()
        for t1, t2 in idle_times(own, sources):
            spent = delay_ns(item.operation.duration, item.operation.unit, dt) * 1e-3
            long = float("inf") if t1 is None else t1
            error = thermal_relaxation_error(long, 2 * long if t2 is None else t2, spent)
            written.append(QuantumError(SuperOp(error)).to_instruction(), item.qubits)
    return written


def _keep_free(model: Any, name: str, qubits: tuple[int, ...]) -> None:
    """No error in a place, whatever counts for any qubits; Aer's own method drops such an error."""
    if name not in model._default_quantum_errors:  # noqa: SLF001
        return
    nothing = pauli_error([("I" * len(qubits), 1.0)])
    model._local_quantum_errors.setdefault(name, {})[qubits] = nothing  # noqa: SLF001


def _add_readout(model: Any, spec: NoiseSpec) -> None:
    for index in range(len(spec.qubits)):
        up, down = spec.readout(index)
        if up or down:
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [index])
    if not spec.qubits:
        up, down = spec.readout(0)
        if up or down:
            model.add_all_qubit_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]))


def _placed(spec: NoiseSpec) -> dict[tuple[str, tuple[int, ...]], Any]:
    """Own error of every gate that has a place: its calibrated one, then what was learned of it.

    None for one without any in whose place what counts for any qubits must not act.
    """
    device = basic_device_gate_errors(target=spec_target(spec, noisy=True))
    found = {(name, tuple(qubits)): channel for name, qubits, channel in device}
    anywhere = {gate.name for gate in spec.gates if not gate.qubits}
    for gate in spec.gates:
        if gate.qubits and gate.name in anywhere:
            found.setdefault((gate.name, gate.qubits), None)
        if gate.qubits and (gate.rates or gate.channel):
            known = found.get((gate.name, gate.qubits))
            found[gate.name, gate.qubits] = _composed(
                [*([] if known is None else [known]), *_own_errors(gate)]
            )
    return found


def _own_errors(gate: GateNoise) -> list[Any]:
    """A gate's learned noise and its own channel."""
    parts = [_pauli_error(lindblad_ptm(gate.rates, gate.width), gate.width)] if gate.rates else []
    if gate.channel:
        matrix = np.array(gate.channel)
        diagonal = np.array_equal(matrix, np.diag(np.diag(matrix)))
        own = _pauli_error(matrix, gate.width) if diagonal else QuantumError(Kraus(PTM(matrix)))
        parts.append(own)
    return parts


def _pauli_error(matrix: Any, width: int) -> Any:
    """A diagonal Pauli transfer matrix; Aer's labels begin with the last operand."""
    letters = ["".join(label) for label in itertools.product("IXYZ", repeat=width)]
    signs = np.array([[1]])
    for _ in range(width):
        signs = np.kron(signs, _SIGNS)
    shares = np.clip((signs @ np.diag(matrix)) / 4**width, 0.0, 1.0)
    return pauli_error(list(zip(letters, shares / shares.sum(), strict=True)))


def _anywhere_error(gate: GateNoise) -> Any:
    dim = 2**gate.width
    parts = [depolarizing_error(gate.error * dim / (dim - 1), gate.width)] if gate.error else []
    return _composed([*parts, *_own_errors(gate)])


def _followed(first: Any, spec: NoiseSpec, name: str, width: int) -> Any:
    """An error followed by those of the sources; None if there is none at all."""
    parts = [] if first is None else [first]
    for source in spec.sources:
        if isinstance(source, GATE_SOURCES) and name in source.gates and not is_silent(source):
            parts.append(_source_error(source, name, width))
    return _composed(parts)


def _composed(parts: Iterable[Any]) -> Any:
    whole: Any = None
    for part in parts:
        if whole is None:
            whole = part
        elif whole.size * part.size <= MAX_TERMS:
            whole = whole.compose(part)
        else:
            whole = QuantumError(Kraus(SuperOp(whole).compose(SuperOp(part))))
    return whole


def _source_error(source: GateSource, name: str, width: int) -> Any:
    if isinstance(source, Depolarizing):
        return depolarizing_error(source.probability, width)
    if isinstance(source, OverRotation):
        return coherent_unitary_error(over_rotation_unitary(name, source.fraction))
    if isinstance(source, AmplitudeDamping):
        single = amplitude_damping_error(source.probability)
    elif isinstance(source, PhaseDamping):
        single = phase_damping_error(source.probability)
    else:
        t1 = float("inf") if source.t1_us is None else source.t1_us
        t2 = 2 * t1 if source.t2_us is None else source.t2_us
        single = thermal_relaxation_error(t1, t2, source.duration_ns * 1e-3)
    whole = single
    for _ in range(width - 1):
        whole = whole.expand(single)
    return whole


def _seconds(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit
