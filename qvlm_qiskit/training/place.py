"""Where a training lies: its run folder, and the partial one while it is under way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.files import LOCK, check_new_folder, only_one
from qvlm_qiskit.errors import InputError, RunFolderError
from qvlm_qiskit.recipes import LATER
from qvlm_qiskit.runs import CONTENTS, PARTIAL

OPTIONS = "options.json"
"""The file of a partial folder that says what was asked."""
BOUGHT_FOR = "ledger.json"
"""The one that says which run of which ledger its rows are bought for."""


def partial_folder(out: Path) -> Path:
    """Where a training of a run folder lies until it is whole."""
    return out.with_name(out.name + ".partial")


def check_place(out: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse to train where something would be lost, before any work is done.

    Raises:
        InputError: A folder that may not be replaced, a training that could go on, or another
            process that trains there.
        RunFolderError: There is nothing to resume.
    """
    check_new_folder(out, overwrite, CONTENTS)
    if (partial_folder(out) / LOCK).exists():
        with only_one(partial_folder(out)):
            pass
    check_folders(out, overwrite, resume)


def check_folders(out: Path, overwrite: bool, resume: bool) -> None:
    """`check_place` without the question who trains there now."""
    check_new_folder(out, overwrite, CONTENTS)
    partial = partial_folder(out)
    check_new_folder(partial, overwrite=True, holds=PARTIAL)
    steps = checkpointed(out)
    begun = (partial / BOUGHT_FOR).is_file()
    if resume and steps is None and not begun:
        raise RunFolderError(f"nothing to resume at {partial}: it holds no checkpoint")
    if begun and not (resume or overwrite):
        raise InputError(
            f"an interrupted training lies at {partial}, with its rows in a ledger: go on with "
            "--resume, or start over with --overwrite"
        )
    if steps is not None and not (resume or overwrite):
        raise InputError(
            f"an interrupted training lies at {partial}, with {steps} steps done: go on with "
            "--resume, or start over with --overwrite"
        )


def checkpointed(out: Path) -> int | None:
    """The steps that an interrupted training need not repeat; None where there is none."""
    last = last_checkpoint(partial_folder(out) / "checkpoints")
    return None if last is None else int(last.rsplit("-", 1)[1])


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: the trainer's state comes last."""
    found = [p for p in folder.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
    return str(max(found, key=lambda p: int(p.name.split("-")[1]))) if found else None


def clear(partial: Path) -> None:
    """Remove what a training left that is not gone on with; its lock stays."""
    for one in partial.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        elif one.name != LOCK:
            one.unlink()


def check_resumed(partial: Path, now: dict[str, Any]) -> None:
    """Refuse to go on with a training of other options, or of other samples, once they are read."""
    record = partial / OPTIONS
    try:
        before = dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"nothing to resume at {partial}: {OPTIONS} is damaged") from error
    # a training that an older release began
    before = {"backend": "statevector", **LATER, **before}
    if "samples" not in now:
        before.pop("samples", None)
    every = {**before, **now}
    changed = [f"{k}={before.get(k)}" for k in every if now.get(k) != before.get(k)]
    if changed:
        raise InputError(f"the training at {partial} was started with {', '.join(changed)}")
