"""Rows of a denoising study → means over seeds, and differences paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.denoise.options import NOISY
from qvlm_qiskit.studies.intervals import differences, means

Row = Mapping[str, Any]
BY, OF = ("kind", "sigma"), ("mse", "ssim")
QUANTUM = "quantum"


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each noise and kind the means of ``mse`` and ``ssim`` with Student's
        interval over seeds, ``numbers`` and ``latent_numbers``. ``from_noisy``: differences from
        the noisy pictures themselves, paired by seed. ``from_quantum``: differences from the
        quantum latent space.
    """
    first = {(row["kind"], row["sigma"]): row for row in reversed(rows)}
    points = [
        {**point, **{n: first[point["kind"], point["sigma"]][n] for n in _COUNTS}}
        for point in means(rows, BY, OF)
    ]
    points.sort(key=lambda one: one["sigma"])
    return {
        "points": points,
        "from_noisy": differences(rows, BY, OF, {"kind": NOISY}),
        "from_quantum": differences(rows, BY, OF, {"kind": QUANTUM}),
    }


def found_at(entries: Sequence[Row], kind: str, sigma: float) -> Row | None:
    """The entry of a kind and a noise."""
    return next((one for one in entries if (one["kind"], one["sigma"]) == (kind, sigma)), None)


def said(difference: Mapping[str, Any]) -> str:
    """What the interval of a difference of errors says of the first of the two, in words."""
    if difference["low"] is None:
        return "one seed: nothing can be said"
    if difference["low"] <= 0 <= difference["high"]:
        return "no difference seen"
    return "better" if difference["mean"] < 0 else "worse"


_COUNTS = ("numbers", "latent_numbers")
