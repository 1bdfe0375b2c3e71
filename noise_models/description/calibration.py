"""Read the noise of a device, or of a few of its qubits, from its calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from qiskit.circuit import Gate, Reset

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise, Snapshot
from qvlm_qiskit.noise_models.description.gates import standard_gates
from qvlm_qiskit.noise_models.description.spec import NoiseSpec

_READERS = ("qvlm-qiskit", "qiskit", "qiskit-ibm-runtime")


def snapshot(device: Any, qubits: Sequence[int] | None = None) -> NoiseSpec:
    """`calibrated` for a whole device, with the date of its calibration and the versions.

    Args:
        device: A fake or fetched `BackendV2`.
        qubits: Physical qubits to keep; all of them when None.

    Raises:
        NoiseModelError: A qubit that the device doesn't have, or that is named twice.
    """
    properties = device.properties() if hasattr(device, "properties") else None
    calibrated_at = getattr(properties, "last_update_date", None)
    versions = {package: version(package) for package in _READERS}
    own_version = getattr(properties, "backend_version", None)
    if own_version:
        versions["device"] = str(own_version)
    taken = Snapshot(
        device=device.name,
        calibrated_utc=None if calibrated_at is None else _utc(calibrated_at),
        taken_utc=_utc(datetime.now(UTC)),
        versions=versions,
    )
    return replace(calibrated(device.target, qubits, device.name), snapshot=taken)


def _utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")


def calibrated(target: Any, qubits: Sequence[int] | None = None, name: str = "") -> NoiseSpec:
    """Describe the noise of `qubits` as the device's calibration states it.

    The same numbers that Aer's `NoiseModel.from_backend` reads: gate infidelities and durations,
    T1 and T2, and the readout error. A `Target` usually states one readout error per qubit, which
    then counts for both p(1|0) and p(0|1). A T2 above 2·T1, which measured calibrations do
    contain, is cut to 2·T1, as Aer does. Noise of idle qubits is not part of the description.

    Args:
        target: The device's `qiskit.transpiler.Target`.
        qubits: Physical qubits to keep; entry i of the result describes qubits[i]. All of them
            when None.
        name: The description's name.

    Raises:
        NoiseModelError: A qubit that the device doesn't have, or that is named twice; a gate that
            is no standard Qiskit gate.
    """
    kept = tuple(range(target.num_qubits)) if qubits is None else tuple(qubits)
    if len(set(kept)) != len(kept) or any(not 0 <= q < target.num_qubits for q in kept):
        raise NoiseModelError(f"qubits {list(kept)} must be distinct and below {target.num_qubits}")
    position = {qubit: index for index, qubit in enumerate(kept)}
    return NoiseSpec(
        name=name,
        basis_gates=tuple(sorted(target.operation_names)),
        qubits=tuple(_qubit_noise(target, qubit) for qubit in kept),
        gates=tuple(_gates(target, position)),
        physical_qubits=kept,
    )


def _qubit_noise(target: Any, qubit: int) -> QubitNoise:
    properties = target.qubit_properties[qubit] if target.qubit_properties else None
    t1 = getattr(properties, "t1", None)
    t2 = getattr(properties, "t2", None)
    if t1 is not None and t2 is not None:
        t2 = min(t2, 2 * t1)
    flip_up, flip_down = _readout(target, qubit)
    return QubitNoise(
        t1_us=None if t1 is None else float(t1) * 1e6,
        t2_us=None if t2 is None else float(t2) * 1e6,
        p_meas1_prep0=flip_up,
        p_meas0_prep1=flip_down,
    )


def _readout(target: Any, qubit: int) -> tuple[float, float]:
    if "measure" not in target.operation_names:
        return 0.0, 0.0
    measure = target["measure"].get((qubit,))
    if measure is None:
        return 0.0, 0.0
    error = float(measure.error or 0.0)
    return (
        float(getattr(measure, "prob_meas1_prep0", error)),
        float(getattr(measure, "prob_meas0_prep1", error)),
    )


def _gates(target: Any, position: dict[int, int]) -> list[GateNoise]:
    found = []
    for name in sorted(target.operation_names):
        # Measurements have their own error; some devices list a second kind of them.
        if not isinstance(target.operation_from_name(name), Gate | Reset):
            continue
        if name not in standard_gates():
            raise NoiseModelError(f"unknown noise instruction {name!r}: it is no standard gate")
        for operands, properties in target[name].items():
            if operands is None or properties is None or not set(operands) <= set(position):
                continue
            # Placements on two qubits say which pairs are coupled, noisy or not.
            if len(operands) == 1 and not properties.error and not properties.duration:
                continue
            duration = properties.duration
            found.append(
                GateNoise(
                    name=name,
                    qubits=tuple(position[qubit] for qubit in operands),
                    width=len(operands),
                    error=float(properties.error or 0.0),
                    duration_ns=None if duration is None else float(duration) * 1e9,
                )
            )
    return found
