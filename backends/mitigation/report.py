"""What every mitigation wrapper says about itself in the metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def mitigated_metadata(
    runs: Sequence[Mapping[str, Any]], technique: str, overhead: float, **details: Any
) -> dict[str, Any]:
    """Metadata of a mitigated pub.

    The first run's own metadata, with `circuits` and `executions` summed over all runs where the
    device reports them, and one more entry in the list `mitigation`.

    Args:
        runs: Metadata of the inner pubs that were combined.
        technique: The wrapper's name.
        overhead: Executions per execution of the unmitigated pub, calibration not counted.
        details: Further facts of the technique.
    """
    metadata = dict(runs[0])
    for key in ("circuits", "executions"):
        counted = [run[key] for run in runs if run.get(key) is not None]
        metadata[key] = sum(counted) if len(counted) == len(runs) else None
    entry = {
        "technique": technique,
        "circuits": metadata["circuits"],
        "executions": metadata["executions"],
        "overhead": overhead,
        **details,
    }
    metadata["mitigation"] = [*runs[0].get("mitigation", []), entry]
    metadata["technique"] = "+".join(item["technique"] for item in metadata["mitigation"])
    return metadata
