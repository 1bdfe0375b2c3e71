"""The fake devices of the installed qiskit-ibm-runtime, by its files; the client is not imported.

The client keeps a folder for each, with a module and a configuration named after the device:
``backends/torino/fake_torino.py`` and ``conf_torino.json``.
"""

from __future__ import annotations

import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import BackendError


@lru_cache(maxsize=1)
def fake_files() -> dict[str, Path]:
    """Device name → its configuration file, in the order of the names.

    Raises:
        BackendError: The client is not installed.
    """
    spec = importlib.util.find_spec("qiskit_ibm_runtime")
    if spec is None or not spec.submodule_search_locations:
        raise BackendError("fake devices need qiskit-ibm-runtime, which is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "fake_provider" / "backends"
    modules = sorted(folder.glob("*/fake_*.py"))
    found = {m.stem: m.with_name(f"conf_{m.stem.removeprefix('fake_')}.json") for m in modules}
    return dict(sorted(found.items()))


@lru_cache(maxsize=128)
def _configuration(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(fake_files()[name].read_text(encoding="utf-8"))
    return {key: content[key] for key in ("n_qubits", "basis_gates")}


def fake_qubits() -> dict[str, int]:
    """Device name → number of qubits."""
    return {name: int(_configuration(name)["n_qubits"]) for name in fake_files()}


def fake_gates() -> dict[str, tuple[str, ...]]:
    """Device name → names of its gates."""
    return {name: tuple(_configuration(name)["basis_gates"]) for name in fake_files()}
