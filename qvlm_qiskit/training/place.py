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
from qvlm_qiskit.training.checkpoints import checkpoints, is_whole, last_checkpoint

OPTIONS = "options.json"
"""The file of a partial folder that says what was asked."""
BOUGHT_FOR = "ledger.json"
"""The one that says which run of which ledger its rows are bought for."""
CHECKPOINTS = "checkpoints"
"""Its folder of checkpoints."""
REPORTS = "reports"
"""Its folder of what reporters write."""
RECORD = "run.json"
"""A run's record."""


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
    holds = PARTIAL if (partial / OPTIONS).is_file() or not is_trained(partial) else CONTENTS
    check_new_folder(partial, overwrite=True, holds=holds)
    steps = checkpointed(out)
    bought = (partial / BOUGHT_FOR).is_file()
    if resume and steps is None and not (partial / OPTIONS).is_file():
        raise RunFolderError(f"nothing to resume at {partial}: it holds no checkpoint")
    if resume or overwrite:
        return
    if bought:
        raise InputError(
            f"an interrupted training lies at {partial}, with its rows in a ledger: go on with "
            "--resume, or start over with --overwrite"
        )
    if steps is not None:
        raise InputError(
            f"an interrupted training lies at {partial}, with {steps} steps done: go on with "
            "--resume, or start over with --overwrite"
        )


def checkpointed(out: Path) -> int | None:
    """The steps that an interrupted training need not repeat; None where there is none."""
    partial = partial_folder(out)
    if is_trained(partial):
        return int(json.loads((partial / RECORD).read_text(encoding="utf-8"))["options"]["steps"])
    last = last_checkpoint(partial / CHECKPOINTS)
    return None if last is None else int(last.name.rsplit("-", 1)[1])


def is_trained(partial: Path) -> bool:
    """Whether a partial folder holds all of a run, whose record is written last."""
    return (partial / RECORD).is_file()


def finish(partial: Path) -> None:
    """Remove what a partial folder holds beside a run; the options go last."""
    shutil.rmtree(partial / CHECKPOINTS, ignore_errors=True)
    for mark in (BOUGHT_FOR, OPTIONS):
        (partial / mark).unlink(missing_ok=True)


def tidy(partial: Path) -> None:
    """Remove what a killed training left half-written, before it is gone on with."""
    for one in partial.iterdir():
        if one.name not in (LOCK, OPTIONS, BOUGHT_FOR, CHECKPOINTS, REPORTS):
            _remove(one)
    whole = [path for _, path in checkpoints(partial / CHECKPOINTS) if is_whole(path)]
    for one in (partial / CHECKPOINTS).glob("*"):
        if one not in whole:
            _remove(one)


def clear(partial: Path) -> None:
    """Remove what a training left that is not gone on with; its lock stays."""
    for one in partial.iterdir():
        if one.name != LOCK:
            _remove(one)


def _remove(one: Path) -> None:
    if one.is_dir():
        shutil.rmtree(one)
    else:
        one.unlink()


def check_resumed(partial: Path, now: dict[str, Any]) -> None:
    """Refuse to go on with a training of other options, or of other samples, once they are read."""
    before = _begun_with(partial)
    if not (partial / OPTIONS).is_file():
        now = {name: value for name, value in now.items() if name in before}
    # a training that an older release began
    before = {**LATER, **before}
    if "backend" in now:
        before.setdefault("backend", "statevector")
    if "samples" not in now:
        before.pop("samples", None)
    every = {**before, **now}
    changed = [f"{k}={before.get(k)}" for k in every if now.get(k) != before.get(k)]
    if changed:
        raise InputError(f"the training at {partial} was started with {', '.join(changed)}")


def _begun_with(partial: Path) -> dict[str, Any]:
    """What was asked; of a run that is all but in its place its record says some of it."""
    record = partial / OPTIONS
    try:
        if is_trained(partial) and not record.is_file():
            return dict(json.loads((partial / RECORD).read_text(encoding="utf-8"))["options"])
        return dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunFolderError(f"nothing to resume at {partial}: {OPTIONS} is damaged") from error
