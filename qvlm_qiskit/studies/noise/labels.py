"""Short names for choices of kinds of error: "all but readout" for what lists all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qvlm_qiskit.noise_models.description.kinds import ALL, KINDS, read_kinds

Row = Mapping[str, Any]


def kinds_there(rows: Sequence[Row]) -> dict[str, set[str]]:
    """The kinds of error that some row of each device names; what "all" means is not known."""
    found: dict[str, set[str]] = {}
    for row in rows:
        named = row.get("error_kinds") or ALL
        found.setdefault(row["device"], set()).update(() if named == ALL else read_kinds(named))
    return found


def kinds_label(error_kinds: str | None, there: Collection[str]) -> str:
    """A choice of kinds in few words.

    Args:
        error_kinds: The choice; None for a machine without noise.
        there: The kinds of the device, as far as its rows name them.
    """
    if error_kinds is None or error_kinds == ALL:
        return "–" if error_kinds is None else ALL
    kept = read_kinds(error_kinds)
    missing = [kind for kind in KINDS if kind in there and kind not in kept]
    if len(missing) == 1 and len(kept) > 1:
        return f"all but {missing[0]}"
    return error_kinds.replace("+", " + ")
