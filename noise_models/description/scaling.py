"""Make a described noise stronger or weaker."""

from __future__ import annotations

from dataclasses import replace

from qvlm_qiskit.noise_models.description.bounds import check_factor
from qvlm_qiskit.noise_models.description.spec import NoiseSpec


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
        qubits=tuple(qubit.scaled(factor) for qubit in spec.qubits),
        gates=tuple(gate.scaled(factor) for gate in spec.gates),
        sources=tuple(source.scaled(factor) for source in spec.sources),
    )
