"""The fake devices of qiskit-ibm-runtime, by name."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
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


@lru_cache(maxsize=1)
def fake_qubits() -> dict[str, int]:
    """Device name → number of qubits, read from the configuration files alone."""
    sizes = {}
    for name, cls in fake_classes().items():
        path = Path(cls.dirname) / cls.conf_filename
        sizes[name] = int(json.loads(path.read_text(encoding="utf-8"))["n_qubits"])
    return sizes


@lru_cache(maxsize=8)
def fake_device(name: str) -> Any:
    """The fake device, built once: its target takes seconds on large devices.

    Raises:
        UnknownNameError: No fake device of that name.
    """
    if name not in fake_classes():
        raise UnknownNameError("backend", name, fake_classes())
    return fake_classes()[name]()
