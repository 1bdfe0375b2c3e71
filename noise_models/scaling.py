"""Make a described noise stronger or weaker."""

from __future__ import annotations

import math
from dataclasses import replace

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.bounds import scaled_time, scaled_value
from qvlm_qiskit.noise_models.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.spec import NoiseSpec


def scaled(spec: NoiseSpec, factor: float) -> NoiseSpec:
    """Scale every source of error of `spec` by `factor`.

    Gate infidelities and both readout probabilities are multiplied by the factor, T1 and T2 are
    divided by it, and durations stay, so to first order every error grows linearly. Probabilities,
    fractions and angles of parametric sources are multiplied, their times divided. Factor 0 is a
    noise-free device, 1 returns `spec` itself.

    A gate that is already at the infidelity d/(d + 1) of the worst depolarising channel is broken
    and stays as it is; so does a readout that already errs in half of the cases.

    Raises:
        NoiseModelError: A factor that is negative or not finite, or one that takes a gate beyond
            d/(d + 1), a readout error beyond 1/2, or a source beyond its own bound.
    """
    check_factor(factor)
    if factor == 1:
        return spec
    return replace(
        spec,
        name=f"{spec.name}×{factor:g}",
        qubits=tuple(scaled_qubit(qubit, factor) for qubit in spec.qubits),
        gates=tuple(scaled_gate(gate, factor) for gate in spec.gates),
        sources=tuple(source.scaled(factor) for source in spec.sources),
    )


def check_factor(factor: float) -> None:
    """Refuse a factor that is negative or not finite.

    Raises:
        NoiseModelError: It is.
    """
    if not math.isfinite(factor) or factor < 0:
        raise NoiseModelError(f"noise scale is {factor!r}; it must be at least 0")


def scaled_qubit(qubit: QubitNoise, factor: float) -> QubitNoise:
    """One qubit's entry scaled."""
    return QubitNoise(
        t1_us=scaled_time(qubit.t1_us, factor),
        t2_us=scaled_time(qubit.t2_us, factor),
        p_meas1_prep0=scaled_value(qubit.p_meas1_prep0, factor, 0.5, "readout error p(1|0)"),
        p_meas0_prep1=scaled_value(qubit.p_meas0_prep1, factor, 0.5, "readout error p(0|1)"),
    )


def scaled_gate(gate: GateNoise, factor: float) -> GateNoise:
    """One gate's entry scaled."""
    what = f"error of {gate.name} on {list(gate.qubits) or 'any qubits'}"
    return replace(gate, error=scaled_value(gate.error, factor, gate.max_error, what))
