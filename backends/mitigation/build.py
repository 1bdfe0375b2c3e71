"""From the name of a mitigation to the wrappers that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from qiskit.primitives import BaseEstimatorV2
from qiskit.transpiler import Target

from qvlm_qiskit.backends.mitigation.auto import AutoMitigated
from qvlm_qiskit.backends.mitigation.cdr import CliffordRegressed
from qvlm_qiskit.backends.mitigation.learned import LearnedExtrapolation
from qvlm_qiskit.backends.mitigation.mitiq_bridge import check_installed
from qvlm_qiskit.backends.mitigation.names import Auto
from qvlm_qiskit.backends.mitigation.pec import ErrorCancelled, NoiseOf
from qvlm_qiskit.backends.mitigation.readout import ReadoutMitigated
from qvlm_qiskit.backends.mitigation.techniques import (
    Cdr,
    LearnedZne,
    Pec,
    Readout,
    Step,
    Twirling,
    Zne,
)
from qvlm_qiskit.backends.mitigation.twirling import PauliTwirled, check_target
from qvlm_qiskit.backends.mitigation.zne import ZeroNoiseExtrapolated
from qvlm_qiskit.errors import MitigationError

Wrapper = Callable[[BaseEstimatorV2], BaseEstimatorV2]


@dataclass(frozen=True)
class MitigatedDevice:
    """What the wrappers have to know about a device.

    Attributes:
        target: Its gates.
        noise: Gives the noise of some of its qubits; None where nothing is known about it.
        seed: Of random circuits.
        by_device: Names of the techniques that the device itself applies: no wrapper then.
        candidates: Mitigations that "auto" compares when it isn't told which.
    """

    target: Target
    noise: NoiseOf | None = None
    seed: int | None = None
    by_device: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


def mitigation_wrappers(steps: Sequence[Step], device: MitigatedDevice) -> tuple[Wrapper, ...]:
    """The wrappers, innermost first, of the techniques that `parse_mitigation` gives.

    Args:
        steps: The techniques.
        device: What they run on.

    Raises:
        MissingDependencyError: "zne" or "learned-zne" without mitiq.
        MitigationError: "pec" where nothing is known about the noise, "twirling" on a device that
            lacks rz, sx or x.
    """
    wrappers = [_wrapper(step, device) for step in steps]
    return tuple(wrapper for wrapper in wrappers if wrapper is not None)


def _wrapper(step: Step, device: MitigatedDevice) -> Wrapper | None:
    if step.name in device.by_device or step.name == "none":
        return None
    if isinstance(step, Zne | LearnedZne):
        check_installed()
    if isinstance(step, Twirling):
        check_target(device.target)
    if isinstance(step, Pec):
        _known_noise(device)
    return partial(_MAKERS[type(step)], step, device)


def _known_noise(device: MitigatedDevice) -> NoiseOf:
    if device.noise is None:
        raise MitigationError(
            "pec needs a calibrated or stated noise of the device, and none is known"
        )
    return device.noise


def _twirling(step: Twirling, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    return PauliTwirled(inner, device.target, step.randomizations, device.seed)


def _readout(step: Readout, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    return ReadoutMitigated(inner, device.target, step.shots)


def _zne(step: Zne, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    return ZeroNoiseExtrapolated(inner, step.scales, step.factory, step.asymptote)


def _learned(step: LearnedZne, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    return LearnedExtrapolation(
        inner, step.scales, step.circuits, step.keep, step.hidden, device.seed
    )


def _cdr(step: Cdr, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    return CliffordRegressed(inner, step.circuits, step.keep, device.seed)


def _pec(step: Pec, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    noise = _known_noise(device)
    return ErrorCancelled(inner, noise, step.samples, step.max_overhead, device.seed)


def _auto(step: Auto, device: MitigatedDevice, inner: BaseEstimatorV2) -> BaseEstimatorV2:
    candidates = step.techniques or device.candidates
    return AutoMitigated(
        inner, lambda other: _wrapper(other, device), candidates, step, device.seed
    )


_MAKERS: dict[type[Step], Callable[..., BaseEstimatorV2]] = {
    Twirling: _twirling,
    Readout: _readout,
    Zne: _zne,
    LearnedZne: _learned,
    Cdr: _cdr,
    Pec: _pec,
    Auto: _auto,
}
