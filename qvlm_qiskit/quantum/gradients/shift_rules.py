r"""Parameter-shift rules: how the derivative by one gate angle follows from values.

An expectation value as a function of *one* gate angle is a trigonometric polynomial. If its
frequencies are :math:`\Omega, 2\Omega, \dots, R\Omega`, its derivative is a combination of
:math:`2R` of its own values (Mitarai et al., arXiv:1803.00745; Schuld et al., arXiv:1811.11184;
for R > 1 Wierichs et al., arXiv:2107.12390, eq. 15, whose case R = 2 is the four-term rule of
Anselmetti et al., arXiv:2104.05695):

.. math:: f'(x) = \sum_{\mu=1}^{R} c_\mu \, [f(x + s_\mu) - f(x - s_\mu)], \qquad
    s_\mu = \frac{(2\mu - 1)\pi}{2 R \Omega}, \quad
    c_\mu = \frac{(-1)^{\mu - 1} \, \Omega}{4 R \sin^2(s_\mu \Omega / 2)}.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShiftRule:
    """f'(x) = Σ c_μ [f(x + s_μ) - f(x - s_μ)], exactly, for some class of f."""

    shifts: tuple[float, ...]
    coefficients: tuple[float, ...]


def equidistant_rule(num_frequencies: int, spacing: float) -> ShiftRule:
    """The rule for the frequencies ``spacing, 2·spacing, …, num_frequencies·spacing``.

    Args:
        num_frequencies: R of the module's formula.
        spacing: Ω of the module's formula, in 1/radian.
    """
    order = np.arange(1, num_frequencies + 1)
    shifts = (2 * order - 1) * np.pi / (2 * num_frequencies * spacing)
    weights = spacing / (4 * num_frequencies * np.sin(shifts * spacing / 2) ** 2)
    signs = (-1.0) ** (order - 1)
    return ShiftRule(tuple(shifts.tolist()), tuple((signs * weights).tolist()))


TWO_TERM = equidistant_rule(1, 1.0)
"""Generators with two eigenvalues at distance 1: Pauli rotations and all phase gates."""
FOUR_TERM = equidistant_rule(2, 0.5)
"""Controlled Pauli rotations: eigenvalues 0 and ±1/2."""
AXIS = equidistant_rule(2, 1.0)
"""The angle of a rotation's axis: it enters on both sides of the rotation."""

RULES: dict[str, tuple[ShiftRule, ...]] = {
    **dict.fromkeys(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx"), (TWO_TERM,)),
    # a controlled phase is a phase on |11⟩: two eigenvalues, whatever the number of controls
    **dict.fromkeys(("cp", "cu1"), (TWO_TERM,)),
    **dict.fromkeys(("crx", "cry", "crz"), (FOUR_TERM,)),
    "u": (TWO_TERM,) * 3,
    "u3": (TWO_TERM,) * 3,
    "u2": (TWO_TERM,) * 2,
    "r": (TWO_TERM, AXIS),
    "cu": (FOUR_TERM, TWO_TERM, TWO_TERM, TWO_TERM),
    "cu3": (FOUR_TERM, TWO_TERM, TWO_TERM),
}
"""One rule per parameter of a standard gate. Gates that are not listed go by their definition."""
