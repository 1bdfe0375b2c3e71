"""Checkpoints on disk: which there are, and which of them are whole.

`saving` writes them whole or not at all. Those that an earlier release wrote, or that were copied,
may be cut off.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

STATE = "trainer_state.json"
"""The trainer's state, which is written last."""
PARTS = ("model*.safetensors", "optimizer.pt", "scheduler.pt", "rng_state*.pth")
"""What a checkpoint has beside it; all but the weights are zip archives with checksums."""


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Steps and folders of all checkpoints, whole ones and others, the newest first."""
    found = [path for path in folder.glob("checkpoint-*") if path.name[11:].isdigit()]
    return sorted(((int(path.name[11:]), path) for path in found), reverse=True)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole."""
    return next((path for _, path in checkpoints(folder) if is_whole(path)), None)


def is_whole(checkpoint: Path) -> bool:
    """Whether no file of a checkpoint is missing, cut off or, as its checksums say, changed."""
    weights, *archives = ([*checkpoint.glob(name)] for name in PARTS)
    if not (weights and all(archives)):
        return False
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        for path in weights:
            with safe_open(path, framework="np"):
                pass
        return "global_step" in state and all(_sums_are_right(p) for ps in archives for p in ps)
    except (OSError, ValueError, TypeError, zipfile.BadZipFile, SafetensorError):
        return False


def _sums_are_right(archive: Path) -> bool:
    with zipfile.ZipFile(archive) as file:
        return file.testzip() is None
