"""From a `NoiseSpec` to Aer's noise model."""

from __future__ import annotations

from typing import Any

from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.measure import Measure
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.noise.device import basic_device_gate_errors

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.spec import GateNoise, NoiseSpec


def build(spec: NoiseSpec) -> Any:
    """Build the Aer `NoiseModel` that `spec` describes.

    Gates with stated qubits get Aer's own device channel: thermal relaxation for the gate's
    duration, followed by as much depolarisation as the stated infidelity leaves. Gates for any
    qubits get a depolarising channel of the stated infidelity. Every measurement gets the readout
    error of its qubit. Idle qubits stay free of noise.

    Returns:
        A `qiskit_aer.noise.NoiseModel` on the qubits 0 … len(spec.qubits) − 1.

    Raises:
        NoiseModelError: A gate that is no standard Qiskit gate.
    """
    model = NoiseModel(basis_gates=_simulated_names(spec))
    for index, qubit in enumerate(spec.qubits):
        up, down = qubit.p_meas1_prep0, qubit.p_meas0_prep1
        if up or down:
            model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [index])
    for gate in spec.gates:
        if not gate.qubits and gate.error:
            dim = 2**gate.width
            channel = depolarizing_error(gate.error * dim / (dim - 1), gate.width)
            model.add_all_qubit_quantum_error(channel, gate.name)
    for name, qubits, channel in basic_device_gate_errors(target=_as_target(spec)):
        model.add_quantum_error(channel, name, qubits)
    return model


def _simulated_names(spec: NoiseSpec) -> list[str]:
    known = get_standard_gate_name_mapping()
    return [name for name in spec.basis_gates if name in known]


def _as_target(spec: NoiseSpec) -> Any:
    """The placed gates of `spec` as the `Target` that Aer's device model reads."""
    target = Target(
        num_qubits=len(spec.qubits),
        qubit_properties=[
            QubitProperties(t1=_seconds(q.t1_us, 1e-6), t2=_seconds(q.t2_us, 1e-6))
            for q in spec.qubits
        ],
    )
    by_name: dict[str, list[GateNoise]] = {}
    for gate in spec.gates:
        if gate.qubits:
            by_name.setdefault(gate.name, []).append(gate)
    known = get_standard_gate_name_mapping()
    for name, gates in by_name.items():
        if name not in known or isinstance(known[name], Measure):
            raise NoiseModelError(f"the noisy gate {name!r} is no standard Qiskit gate")
        properties = {
            gate.qubits: InstructionProperties(
                error=gate.error, duration=_seconds(gate.duration_ns, 1e-9)
            )
            for gate in gates
        }
        target.add_instruction(known[name], properties, name=name)
    return target


def _seconds(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit
