"""The compiler that a backend's options ask for."""

from __future__ import annotations

from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.compiler import Compiler
from qvlm_qiskit.backends.compilation.fractional import without_fractional_gates
from qvlm_qiskit.backends.options import BackendOptions


def compiler_for(
    target: Target,
    options: BackendOptions,
    date: str | None = None,
    dynamic: Target | None = None,
) -> Compiler:
    """The compiler that a backend's options ask for.

    Args:
        target: The device.
        options: What it was opened with.
        date: When the target was calibrated.
        dynamic: The device for circuits that measure in their middle, which nothing mitigates.

    Raises:
        MitigationError: The mitigation takes no gates of any angle, and the device has no others.
    """
    if not all(step.fractional for step in options.steps):
        target = without_fractional_gates(target)
    plain = options.mitigation == "none" and options.tiles == "none" and not options.fractional
    return Compiler(
        target,
        options.optimization_level,
        options.seed,
        trials=options.layout_trials,
        calibration_date=date,
        dynamic=dynamic if plain else None,
        fractional=options.fractional,
    )
