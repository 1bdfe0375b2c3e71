"""Text to heal with, and other text to measure on, as windows of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from qvlm_qiskit.errors import InputError

HELD_OUT = ("lfw.rst", "rcv1.rst", "species_distributions.rst")
"""Descriptions that nothing is trained on."""

Encode = Callable[[str], Sequence[int]]


def texts(path: Path | None) -> tuple[str, str]:
    """Text to train on, and text that is held out.

    Args:
        path: A file, whose last fifth is held out; None for scikit-learn's descriptions of its data
            sets, of which some are.

    Raises:
        InputError: The file can't be read, or is no text.
    """
    if path is not None:
        try:
            whole = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"can't read the text {path}: {error}") from error
        cut = len(whole) * 4 // 5
        return whole[:cut], whole[cut:]
    found = sorted(files("sklearn.datasets.descr").iterdir(), key=lambda one: one.name)
    parts: dict[bool, list[str]] = {True: [], False: []}
    for one in found:
        if one.name.endswith(".rst"):
            parts[one.name in HELD_OUT].append(one.read_text(encoding="utf-8"))
    return "\n".join(parts[False]), "\n".join(parts[True])


def windows(text: str, encode: Encode, length: int) -> Tensor:
    """Tokens in windows that don't overlap, ``(windows, length)``.

    Args:
        text: Of any length; an end that fills no window is left out.
        encode: Text → token numbers.
        length: Of a window.

    Raises:
        InputError: There is not one window.
    """
    tokens = torch.tensor(list(encode(text)))
    count = len(tokens) // length
    if not count:
        raise InputError(f"a text of {len(tokens)} tokens has no window of {length}")
    return tokens[: count * length].view(count, length)
