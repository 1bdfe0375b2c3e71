"""The fake devices of qiskit-ibm-runtime, by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from qiskit_ibm_runtime import fake_provider
from qiskit_ibm_runtime.fake_provider.fake_backend import FakeBackendV2

from qvlm_qiskit.errors import UnknownNameError


@lru_cache(maxsize=1)
def fake_classes() -> dict[str, Any]:
    """Device name → class, for every fake device of the installed version."""
    found: list[Any] = [
        item
        for item in vars(fake_provider).values()
        if isinstance(item, type) and issubclass(item, FakeBackendV2) and item is not FakeBackendV2
    ]
    return {cls.backend_name: cls for cls in sorted(found, key=lambda cls: str(cls.backend_name))}


@lru_cache(maxsize=8)
def fake_device(name: str) -> Any:
    """The fake device, built once: its target takes seconds on large devices.

    Raises:
        UnknownNameError: No fake device of that name.
    """
    if name not in fake_classes():
        raise UnknownNameError("backend", name, fake_classes())
    return fake_classes()[name]()


def calibration_date(device: Any) -> str | None:
    """When a device was calibrated, ISO 8601; None where it doesn't say."""
    stated = getattr(device, "properties", None)
    properties = stated() if callable(stated) else None
    date = getattr(properties, "last_update_date", None)
    return None if date is None else str(date.isoformat())


def rep_delay_seconds(device: Any) -> float | None:
    """The default pause before every execution on a device; None where it states none."""
    delay = getattr(device, "default_rep_delay", None)
    return None if delay is None else float(delay)
