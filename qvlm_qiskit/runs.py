"""Run folders: what ``qvlm train`` and ``qvlm demo`` leave, and every other command reads.

RUN/
  run.json       format name and version, options, data, training figures
  model/         configuration and weights (safetensors); beside HybridVLM's its processor
  history.json   loss, learning rate and gate values by training step

A folder is opened and checked without torch or transformers; only its model needs them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.basics.bars import no_transformers_bars as no_transformers_bars
from qvlm_qiskit.basics.files import Contents, new_folder, write_json
from qvlm_qiskit.errors import InputError, QVLMError, RunFolderError
from qvlm_qiskit.recipes import HYBRID, LATER, OF_THE_MODEL, TrainingOptions

if TYPE_CHECKING:
    from qvlm_qiskit.data import DataSet, Sample
    from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
    from qvlm_qiskit.models.protocol import AnsweringModel

FORMAT = "qvlm-run"
VERSION = 1

_FILES = ("history.json", "model/config.json", "model/model.safetensors")
_FILES_OF_THE_HYBRID = (
    "model/processor_config.json",
    "model/tokenizer.json",
    "model/tokenizer_config.json",
)

CONTENTS = Contents(
    kind="a run folder",
    mark="run.json",
    form=FORMAT,
    files=(
        "run.json", "history.json", "results.json", "report.html", "noise_study.json",
        "samples/*.png", "model/*.safetensors", "model/*.json", "model/*.jinja", "reports/**",
    ),
)  # fmt: skip
"""Everything that qvlm writes into a run folder; a demo's and a study's parts are among it."""

DEMO_CONTENTS = replace(CONTENTS, files=(*CONTENTS.files, "ledger/**"))
"""The same with the ledger of a demo's jobs, which the client's local mode runs."""

PARTIAL = Contents(
    kind="what an interrupted training left",
    mark="options.json",
    files=("options.json", "ledger.json", "checkpoints/**", *CONTENTS.files),
)


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
        try:
            found = path.is_dir()
        except OSError as error:
            raise RunFolderError(f"no run folder there: {error.strerror}") from error
        if not found:
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
        options = info.get("options")
        if not isinstance(options, dict) or type(options.get("seed")) is not int:
            raise RunFolderError(f"{path} is damaged: run.json has no options with a seed")
        own = options.get("model", HYBRID) != HYBRID
        for needed in (*_FILES, *(() if own else _FILES_OF_THE_HYBRID)):
            if not (path / needed).is_file():
                raise RunFolderError(f"{path} is incomplete: {needed} is missing")
        return cls(path, info)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.info["options"]["seed"])

    @property
    def data(self) -> DataSet:
        """The data set that it was trained on.

        Raises:
            RunFolderError: ``run.json`` names none.
            UnknownNameError: It is of a distribution that is not installed.
        """
        from qvlm_qiskit.data.registry import find_data

        about = self.info.get("data", {"name": "digits"})
        if not isinstance(about, dict) or not isinstance(about.get("name"), str):
            raise RunFolderError(f"{self.path} is damaged: run.json names no data set")
        return find_data(about["name"])

    @property
    def questions(self) -> Mapping[str, str]:
        """Kind → question, for the kinds that always ask in the same words.

        Raises:
            UnknownNameError: Its data set is of a distribution that is not installed.
        """
        about = self.info.get("data")
        noted = about.get("questions") if isinstance(about, dict) else None
        return self.data.questions if not isinstance(noted, dict) else noted

    def on(self, data: str | None) -> Run:
        """The run, to be asked about other data than it was trained on; None: about its own.

        Args:
            data: Name of the data set.
        """
        return self if data is None else replace(self, info={**self.info, "data": {"name": data}})

    def samples(self, split: str, size: int) -> list[Sample]:
        """Samples of its data set, drawn with its seed.

        Args:
            split: ``"train"``, what it was trained on; or ``"test"``.
            size: At most so many; data that is read may have fewer.
        """
        if split == "train":
            validated = self.info["options"].get("evaluate_every") is not None
            split = self.data.training_split(validated)
        return list(self.data.open(split, size, self.seed))

    def trained_with(self) -> dict[str, Any]:
        """The training options that are its model's and its data's, see `recipes.OF_THE_MODEL`.

        Raises:
            RunFolderError: ``run.json`` lacks one.
        """
        known = {**LATER, **self.info["options"]}
        if lost := [name for name in OF_THE_MODEL if name not in known]:
            raise RunFolderError(f"{self.path} is damaged: run.json does not say its {lost[0]}")
        return {name: known[name] for name in OF_THE_MODEL}

    def check_same_model(self, options: Mapping[str, Any]) -> None:
        """Refuse training options that are of another model or other data than this run's.

        Args:
            options: Some of them, by name.

        Raises:
            InputError: One is another.
        """
        for name, value in self.trained_with().items():
            if name in options and options[name] != value:
                raise InputError(
                    f"{self.path} was trained with {name}={value!r}: a training that starts from "
                    f"it has the same, not {options[name]!r}"
                )

    @property
    def model_name(self) -> str:
        """What ``--model`` called its model."""
        return str(self.info["options"].get("model", HYBRID))

    def answering_model(self) -> AnsweringModel:
        """The trained model with all that makes answers of it, in evaluation mode, on the CPU.

        Raises:
            RunFolderError: Its class is not found, or its files are damaged.
        """
        from qvlm_qiskit.models import VisionLanguageModel

        if self.model_name == HYBRID:
            return VisionLanguageModel(self.model(), self.processor())
        kind = self._own_class()
        with self._damage_reported("model"):
            return kind.load(self.path / "model")

    def class_file(self) -> Path | None:
        """The file of its model's class, if a user has written it.

        Raises:
            RunFolderError: The class is not found.
        """
        if self.model_name == HYBRID:
            return None
        from qvlm_qiskit.models.registry import class_file

        self._own_class()
        return class_file(self.model_name)

    def _own_class(self) -> type[AnsweringModel]:
        """The class of a model that a user has written."""
        from qvlm_qiskit.models import find_model

        try:
            return find_model(self.model_name)
        except QVLMError as error:
            about = self.info.get("model")
            file = about.get("file") if isinstance(about, dict) else None
            where = f" (it was trained with {file})" if file else ""
            raise RunFolderError(
                f"{self.path} holds a model of a class that can't be used here: {error}{where}: "
                "install its package, put its folder on PYTHONPATH, or start qvlm there"
            ) from error

    def model(self) -> HybridVLM:
        """The trained `HybridVLM`, in evaluation mode, on the CPU.

        Raises:
            RunFolderError: The weights or the configuration are damaged, or are another model's.
        """
        if self.model_name != HYBRID:
            raise RunFolderError(
                f"{self.path} holds {self.model_name}, no {HYBRID}: answering_model() opens it"
            )
        from qvlm_qiskit.model import HybridVLM

        model: HybridVLM
        with no_transformers_bars(), self._damage_reported("model"):
            model, report = HybridVLM.from_pretrained(
                self.path / "model",
                output_loading_info=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # refused below, by name
            )
        sizes = [f"{name}, {tuple(is_)} in place of {tuple(of)}"
                 for name, is_, of in report["mismatched_keys"]]  # fmt: skip
        wrong = sorted([*sizes, *report["missing_keys"], *report["unexpected_keys"]])
        if wrong:
            raise RunFolderError(
                f"{self.path} is damaged: its weights don't fit its configuration at {wrong[0]}"
            )
        model.eval()
        return model

    def processor(self) -> HybridVLMProcessor:
        """The processor that the model was trained with.

        Raises:
            RunFolderError: One of its files is damaged.
        """
        from qvlm_qiskit.model import HybridVLMProcessor

        processor: HybridVLMProcessor
        with self._damage_reported("processor"):
            processor = HybridVLMProcessor.from_pretrained(
                self.path / "model", local_files_only=True
            )
        return processor

    def history(self) -> dict[str, list[float]]:
        """Columns by name, one entry per logged training step.

        Raises:
            RunFolderError: The file is damaged.
        """
        columns: dict[str, list[float]]
        with self._damage_reported("history"):
            columns = json.loads((self.path / "history.json").read_text(encoding="utf-8"))
        return columns

    @contextmanager
    def _damage_reported(self, what: str) -> Iterator[None]:
        """Whatever a library raises on a damaged file becomes one error that names the folder."""
        try:
            yield
        except Exception as error:
            said = " ".join(str(error).split()) or repr(error)
            reason = shorten(said, 200, placeholder=" …")
            raise RunFolderError(
                f"{self.path} is damaged: its {what} can't be loaded ({reason})"
            ) from error


def model_digests(run: Run) -> dict[str, str]:
    """SHA-256 in hexadecimal of every file of a run's model, by path in its folder.

    Of a model that a user has written also that of the class's file, as "class NAME".
    """
    folder = run.path / "model"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    if (source := run.class_file()) is not None:
        named[f"class {source.name}"] = source
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items()}


def keep_model(
    model: AnsweringModel,
    folder: Path,
    data: str,
    *,
    train_samples: int = 1,
    seed: int = 0,
    overwrite: bool = False,
) -> Run:
    """Make a run folder of a model of the user's own that was trained by hand.

    Args:
        model: Such as an `OwnModel`; its class is in a module that can be imported by name.
        folder: The run folder, new.
        data: Name of the data set that it is asked about, "folder:/home/me/pictures".
        train_samples: How many samples of it the model was trained on.
        seed: Of the samples that are drawn.
        overwrite: Replace a run folder that is there.

    Raises:
        InputError: The class is a script's or a notebook's, or `HybridVLM`'s adapter; the folder
            is taken; or an unknown data set.
    """
    if model.name == HYBRID:
        raise InputError(
            f"a run folder of {HYBRID} says by which recipe and options it was trained: "
            "qvlm_qiskit.training.train makes one"
        )
    if type(model).__module__ == "__main__":
        raise InputError(
            f"{type(model).__qualname__} is of a script or a notebook, where nobody finds it "
            "again: put it into a module of its own and import it from there"
        )
    asked = TrainingOptions(model=model.name, data=data, train_samples=train_samples, seed=seed)
    options = {name: getattr(asked, name) for name in OF_THE_MODEL}
    about = {"name": data, "train_samples": train_samples}
    weights = list(model.module.parameters())
    info = {
        "options": options,
        **model.described(),
        "data": about,
        "parameters": sum(p.numel() for p in weights),
        "quantum_parameters": sum(q.weight.numel() for q in model.quantum_layers.values()),
    }
    with new_folder(folder, overwrite, holds=CONTENTS) as new:
        write_run(new, model, info, {})
    return Run.open(folder)


def write_run(
    folder: Path,
    model: AnsweringModel,
    info: dict[str, Any],
    history: dict[str, list[float]],
) -> None:
    """Fill a run folder; ``run.json`` comes last, so an interrupted one shows."""
    with no_transformers_bars():
        model.save(folder / "model")
    write_json(folder / "history.json", history)
    write_json(folder / "run.json", {"format": FORMAT, "version": VERSION, **info})
