"""What a mitigation costs, and what it says about itself in the metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.pubs.stack import to_device
from qvlm_qiskit.backends.pubs.work import Call

COUNTS = ("circuits", "executions", "calibration_circuits", "calibration_executions")


@dataclass(frozen=True)
class Cost:
    """What running a pub takes.

    Attributes:
        circuits: Measured circuits with bound parameters, for this pub alone.
        executions: Their shots in all.
        calibration_circuits: Measured circuits that have to run before, whose results are
            remembered for later pubs; 0 when they are remembered already.
        calibration_executions: Their shots in all.
    """

    circuits: int = 0
    executions: int = 0
    calibration_circuits: int = 0
    calibration_executions: int = 0

    @property
    def all_executions(self) -> int:
        """Shots of the pub and of its calibration."""
        return self.executions + self.calibration_executions


def cost_of(estimator: Any, pub: EstimatorPub) -> Cost:
    """What an estimator will run for an ISA pub, found through `EstimatorWrapper.plan`.

    Args:
        estimator: A stack of wrappers on a device that states its work.
        pub: A coerced pub with a precision.

    Raises:
        BackendError: The device doesn't say what it runs.
        MitigationError: A technique can't do the pub.
    """
    calls: Iterable[Call] = [Call((pub,))]
    layers, device = to_device(estimator)
    for layer in layers:
        if isinstance(layer, EstimatorWrapper):
            calls = layer.plan(calls)
    found = dict.fromkeys(COUNTS, 0)
    for call in calls:
        for work in (work for job in device.jobs(call.pubs) for work in job):
            prefix = "calibration_" if call.calibration or work.calibration else ""
            found[f"{prefix}circuits"] += work.circuits
            found[f"{prefix}executions"] += work.executions
    return Cost(**found)


def mitigated_metadata(
    runs: Sequence[Mapping[str, Any]],
    technique: str,
    overhead: float | None,
    spent: Sequence[Mapping[str, Any]] = (),
    **details: Any,
) -> dict[str, Any]:
    """Metadata of a mitigated pub.

    The first run's own metadata, with the counts summed over all runs where the device reports
    them, and one more entry in the list `mitigation`.

    Args:
        runs: Metadata of the inner pubs that were combined.
        technique: The technique's name.
        overhead: Executions of this pub per execution of the unmitigated one, calibration not
            counted; None where the device doesn't report executions.
        spent: Metadata of the calibration pubs that ran now and whose results are remembered.
        details: Further facts of the technique.
    """
    metadata = dict(runs[0])
    for key in ("circuits", "executions"):
        metadata[key] = _sum(key, runs)
        inner = _sum(f"calibration_{key}", [*runs, *spent], default=0)
        own = _sum(key, spent)
        metadata[f"calibration_{key}"] = None if None in (inner, own) else (inner or 0) + (own or 0)
    entry = {
        "technique": technique,
        **{key: metadata[key] for key in COUNTS},
        "overhead": overhead,
        **details,
    }
    metadata["mitigation"] = [*runs[0].get("mitigation", []), entry]
    metadata["technique"] = "+".join(item["technique"] for item in metadata["mitigation"])
    return metadata


def overhead(runs: Sequence[Mapping[str, Any]], shots: int | None) -> float | None:
    """Executions of all runs per execution of the unmitigated pub, whose circuits the first has.

    Args:
        runs: Metadata of the inner pubs.
        shots: Shots per circuit of the unmitigated pub; None for exact values.
    """
    spent, circuits = _sum("executions", runs), runs[0].get("circuits")
    return None if spent is None or not circuits or not shots else spent / (circuits * shots)


def _sum(key: str, runs: Sequence[Mapping[str, Any]], default: int | None = None) -> int | None:
    counted = [run.get(key, default) for run in runs]
    return None if None in counted else sum(n or 0 for n in counted)
