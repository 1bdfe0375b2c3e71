"""Run folders: what ``qvlm train`` and ``qvlm demo`` leave, and every other command reads.

RUN/
  run.json       format name and version, options, data, training figures
  model/         configuration, weights (safetensors), processor
  history.json   loss, learning rate and gate values by training step
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar, enable_progress_bar

from qvlm_qiskit.errors import RunFolderError
from qvlm_qiskit.files import write_json
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor

FORMAT = "qvlm-run"
VERSION = 1


@dataclass(frozen=True)
class Run:
    """A run folder that was opened and found whole.

    Attributes:
        path: The folder.
        info: The content of ``run.json``.
    """

    path: Path
    info: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run folder.

        Raises:
            RunFolderError: There is none, it is incomplete, or of another version.
        """
        if not path.is_dir():
            raise RunFolderError(f"no run folder at {path}: train one with qvlm train --out {path}")
        record = path / "run.json"
        if not record.is_file():
            raise RunFolderError(f"{path} is not a run folder: it has no run.json")
        try:
            info = json.loads(record.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise RunFolderError(f"{record} is not readable as JSON: {error}") from error
        if not isinstance(info, dict) or info.get("format") != FORMAT:
            raise RunFolderError(f"{path} is not a run folder: run.json is of another format")
        if info.get("version") != VERSION:
            raise RunFolderError(
                f"{path} is a run folder of version {info.get('version')}; this qvlm reads "
                f"version {VERSION}"
            )
        for needed in ("model/config.json", "model/model.safetensors", "history.json"):
            if not (path / needed).is_file():
                raise RunFolderError(f"{path} is incomplete: {needed} is missing")
        return cls(path, info)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.info["options"]["seed"])

    def model(self) -> HybridVLM:
        """The trained model, in evaluation mode, on the CPU."""
        with no_transformers_bars():
            model: HybridVLM = HybridVLM.from_pretrained(self.path / "model")
        model.eval()
        return model

    def processor(self) -> HybridVLMProcessor:
        """The processor that the model was trained with."""
        processor: HybridVLMProcessor = HybridVLMProcessor.from_pretrained(self.path / "model")
        return processor

    def history(self) -> dict[str, list[float]]:
        """Columns by name, one entry per logged training step."""
        columns: dict[str, list[float]] = json.loads((self.path / "history.json").read_text())
        return columns


@contextmanager
def no_transformers_bars() -> Iterator[None]:
    """Keeps transformers' own bars for writing and loading small files off the screen."""
    disable_progress_bar()
    try:
        yield
    finally:
        enable_progress_bar()


def write_run(
    folder: Path,
    model: HybridVLM,
    processor: HybridVLMProcessor,
    info: dict[str, Any],
    history: dict[str, list[float]],
) -> None:
    """Fill a run folder; ``run.json`` comes last, so an interrupted one shows."""
    with no_transformers_bars():
        model.save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    write_json(folder / "history.json", history)
    write_json(folder / "run.json", {"format": FORMAT, "version": VERSION, **info})
