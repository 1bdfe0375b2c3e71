"""The devices that the server offers: snapshots from the client's fake provider."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends.devices.fake_devices import fake_device


class Machine:
    """A fake backend, served as if it were hardware.

    Args:
        name: Such as "fake_torino"; "mock_torino" checks its jobs and runs none.

    Raises:
        UnknownNameError: No fake backend has this name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.mock = name.startswith("mock_")
        self.device = fake_device(name.replace("mock_", "fake_", 1))

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The provider's file under the fake's name: a machine that is not a simulator."""
        return {**self._file(self.device.conf_filename), "backend_name": self.name}

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The provider's calibration file."""
        return {**self._file(self.device.props_filename), "backend_name": self.name}

    @property
    def num_qubits(self) -> int:
        """Of the whole device."""
        return int(self.configuration["n_qubits"])

    @property
    def rep_delay_seconds(self) -> float:
        """The pause between shots; 250 µs where the snapshot names none."""
        return float(self.configuration.get("default_rep_delay") or 250.0) * 1e-6

    def listing(self, queue: int) -> dict[str, Any]:
        """The machine's entry in `GET /backends`."""
        return {
            "name": self.name,
            "qubits": self.num_qubits,
            "queue_length": queue,
            "status": {"name": "online", "reason": "available"},
            **({"class": "mock"} if self.mock else {}),
        }

    def status(self, queue: int) -> dict[str, Any]:
        """The response of `GET /backends/{name}/status`."""
        version = self.configuration["backend_version"]
        return {
            "state": True,
            "status": "active",
            "message": "available",
            "length_queue": queue,
            "backend_version": version,
        }

    def _file(self, name: str) -> dict[str, Any]:
        path = Path(self.device.dirname, name)
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded
