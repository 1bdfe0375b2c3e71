"""Noise from a formula instead of a calibration."""

from __future__ import annotations

import re

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models.spec import GateNoise, NoiseSpec, check_probability

BASIS_GATES = ("rz", "sx", "x", "cz")
FAMILIES = ("depolarizing(p2)", "depolarizing(p2,p1)")


def depolarizing(p2: float, p1: float | None = None) -> NoiseSpec:
    """Depolarising noise after every physical gate; perfect readout, no relaxation.

    The channel after a gate on d = 2^width levels is ρ → (1 − p)·ρ + p·I/d. `p2` is the p of the
    two-qubit gate (cz), `p1` that of sx and x; rz is a change of frame on real devices and stays
    free of noise. The spec counts for any number of qubits.

    Args:
        p2: Depolarising probability of cz.
        p1: Depolarising probability of sx and x; p2/10 when not given, as on present devices.

    Raises:
        NoiseModelError: A value outside [0, 1].
    """
    single = p2 / 10 if p1 is None else p1
    check_probability("depolarizing probability p2 (two-qubit gates)", p2)
    check_probability("depolarizing probability p1 (one-qubit gates)", single)
    return NoiseSpec(
        name=f"depolarizing(p2={p2:g},p1={single:g})",
        basis_gates=BASIS_GATES,
        gates=(
            GateNoise("sx", (), 1, error=single / 2),
            GateNoise("x", (), 1, error=single / 2),
            GateNoise("cz", (), 2, error=p2 * 3 / 4),
        ),
    )


def parse_parametric(text: str) -> NoiseSpec:
    """Read "depolarizing(0.01)" (p2, with p1 = p2/10) or "depolarizing(0.01,0.002)" (p2, p1).

    Raises:
        UnknownNameError: Another family, or another number of arguments.
        NoiseModelError: An argument that is no number between 0 and 1.
    """
    match = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    arguments = match.group(2).split(",") if match else []
    if match is None or match.group(1) != "depolarizing" or len(arguments) not in (1, 2):
        raise UnknownNameError("noise", text, FAMILIES)
    try:
        numbers = [float(argument) for argument in arguments]
    except ValueError as ex:
        raise NoiseModelError(f"{text!r}: {match.group(2)!r} is not a list of numbers") from ex
    return depolarizing(*numbers)
