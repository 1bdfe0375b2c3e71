"""Nothing is mitigated."""

from __future__ import annotations

from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique


@technique(candidates=("none",))
class Unmitigated(Step):
    """The device's own values."""

    name = "none"
    alone = True

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "nothing is mitigated"

    def wrapper(self, device: MitigatedDevice) -> None:
        """None: nothing stands around the device."""
        return None
