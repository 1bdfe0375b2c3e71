"""Metadata of several answers as that of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SUMMED = (
    "circuits", "executions", "calibration_circuits", "calibration_executions", "rows",
    "rows_from_ledger",
)  # fmt: skip
"""What adds up over the parts of a pub."""


def gathered(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all parts of a pub's answer say: costs added up, the rest where they agree.

    Mappings, and lists of mappings of one length, are gathered item by item.

    Args:
        parts: Their metadata, at least one.
    """
    first = parts[0]
    if len(parts) == 1:
        return dict(first)
    found: dict[str, Any] = {}
    for key in first:
        values: list[Any] = [part.get(key) for part in parts]
        if key in SUMMED:
            found[key] = None if None in values else sum(values)
        elif all(isinstance(value, Mapping) for value in values):
            found[key] = gathered(values)
        elif _lists_of_mappings(values):
            found[key] = [gathered(items) for items in zip(*values, strict=True)]
        elif key == "submissions":
            found[key] = sorted({name for names in values for name in names})
        elif key == "source":
            found[key] = values[0] if len(set(values)) == 1 else "both"
        elif key == "answered_utc":
            found[key] = max((value for value in values if value), default=None)
        elif all(np.array_equal(value, values[0]) for value in values):
            found[key] = values[0]
    return found


def _lists_of_mappings(values: Sequence[Any]) -> bool:
    if not all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        return False
    return bool(values[0]) and all(isinstance(item, Mapping) for v in values for item in v)
