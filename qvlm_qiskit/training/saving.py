"""Checkpoints that appear whole or not at all: written aside, then renamed.

transformers writes a checkpoint file by file into its place, and the trainer's state, which comes
last, is an empty file for a moment: what a killed process leaves there can look like a checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from safetensors import SafetensorError
from transformers import Trainer

from qvlm_qiskit.basics.files import flush
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.training.checkpoints import STATE, checkpoints

ASIDE = ".writing"
"""The folder, beside the checkpoints, in which one is written."""


class WholeCheckpoints(Trainer):  # type: ignore[misc]
    """A ``Trainer`` whose checkpoints appear whole; the newest and the best one are kept."""

    _aside: Path | None = None

    def _get_output_dir(self, trial: Any) -> str:
        """Where checkpoints are written to and, at other times, where they lie."""
        return str(super()._get_output_dir(trial) if self._aside is None else self._aside)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint aside, rename it, and remove those that it replaces."""
        place, step = Path(self.args.output_dir), self.state.global_step
        if self.args.should_save:
            shutil.rmtree(place / ASIDE, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._aside = place / ASIDE
        try:
            with told_by_the_disk(f"the checkpoint of step {step}"):
                super()._save_checkpoint(model, trial)
        except InputError:
            shutil.rmtree(place / ASIDE, ignore_errors=True)  # what is full has room again
            raise
        finally:
            self._aside = None
        if self.state.best_global_step == step:
            self.state.best_model_checkpoint = str(place / f"checkpoint-{step}")
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            self._put_in_place(place / ASIDE / f"checkpoint-{step}", place)
        self.accelerator.wait_for_everyone()

    def _put_in_place(self, written: Path, place: Path) -> None:
        """Rename what all processes have written, once it is on the disk."""
        with told_by_the_disk(f"the checkpoint of step {self.state.global_step}"):
            self.state.save_to_json(str(written / STATE))
            for path in [*written.rglob("*"), written]:
                flush(path)
            written.rename(place / written.name)
        written.parent.rmdir()
        flush(place)
        kept = {self.state.global_step, self.state.best_global_step}
        for step, folder in checkpoints(place):
            if step not in kept:
                shutil.rmtree(folder)


@contextmanager
def told_by_the_disk(what: str) -> Iterator[None]:
    """What torch, safetensors or the system say of a disk that takes no more, as one error.

    Args:
        what: Is written in the block.

    Raises:
        InputError: It can't be written.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        said = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            f"can't write {what}: {said or shorten(str(error), 120)}; what was kept before stays, "
            "and the same command goes on from there with --resume"
        ) from error
