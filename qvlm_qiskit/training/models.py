"""What is trained: an untrained model or one that was trained before, and its samples."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

from torch import Tensor
from torch.utils.data import Dataset
from transformers import set_seed

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.blocks import blocks_in, layers_outside
from qvlm_qiskit.data.batch import EncodedSamples
from qvlm_qiskit.data.reading.samples import ReadSamples
from qvlm_qiskit.data.registry import DataSet, find_data
from qvlm_qiskit.data.sample import Samples
from qvlm_qiskit.errors import CapacityError, InputError, UnknownNameError
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel
from qvlm_qiskit.models.hybrid_vlm import build_model as build_model
from qvlm_qiskit.models.hybrid_vlm import configuration as configuration
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.models.registry import class_file, find_model
from qvlm_qiskit.recipes import HYBRID, TrainingOptions
from qvlm_qiskit.runs import Run, model_digests
from qvlm_qiskit.training.checks import check_words
from qvlm_qiskit.training.processes import check_filled

Trains = Literal["all", "circuits"]


@dataclass(frozen=True)
class Subject:
    """What is trained.

    Attributes:
        options: The model, the data and the steps.
        source: A trained run to start from; its options are those of the model and the data.
        trains: Which of its parameters: "circuits" are the circuits' angles alone.
    """

    options: TrainingOptions
    source: Run | None = None
    trains: Trains = "all"
    _opened: list[Samples] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            InputError: Options that the source contradicts, circuits of a model without weights,
                or sizes and blocks that no model has.
            UnknownNameError: Other parameters, or an unknown block.
        """
        if self.trains not in get_args(Trains):
            raise UnknownNameError("set of parameters", self.trains, get_args(Trains))
        if self.source is None:
            if self.trains != "all":
                raise InputError("a model that starts from nothing is trained as a whole")
            if self.options.model == HYBRID:
                configuration(self.options)  # before data is read, which may take minutes
            return
        self.source.check_same_model(vars(self.options))

    @classmethod
    def of(cls, options: TrainingOptions, source: Run | None, trains: Trains | None) -> Subject:
        """With what is trained by default: all of a new model, of a trained one its circuits."""
        return cls(options, source, trains or ("all" if source is None else "circuits"))

    def build(self, track: Track = silent) -> AnsweringModel:
        """The model before its first step; random numbers begin anew.

        Raises:
            InputError: It has no angles that could be trained alone, or there is nothing that a
                model of the user's own could learn from.
            RunFolderError: The source is damaged.
        """
        if self.source is None:
            kind = find_model(self.options.model)
            return kind.build(self.options, self.data, lambda: self.samples(track))
        model = self.source.answering_model()
        if self.trains == "circuits":
            _only_circuits(model, self.source)
        set_seed(self.options.seed)
        return model

    @cached_property
    def data(self) -> DataSet:
        """The data set, opened where it lies."""
        return find_data(self.options.data)

    def samples(self, track: Track = silent) -> Samples:
        """What is trained on; opened once.

        Raises:
            InputError: There is no sample that can be used.
        """
        if not self._opened:
            options = self.options
            split = self.data.training_split(options.evaluate_every is not None)
            self._opened.append(self.data.open(split, options.train_samples, options.seed, track))
        return self._opened[0]

    def training_rows(
        self, model: AnsweringModel, samples: Samples, track: Track = silent
    ) -> Dataset[dict[str, Tensor]]:
        """The encoded samples that are trained on.

        Raises:
            InputError: The model reads fewer tokens than one has, or lacks a word of an answer, or
                can't be taught it.
        """
        rows = model.encoded(samples, track)
        if isinstance(model, VisionLanguageModel) and isinstance(rows, EncodedSamples):
            check_words(rows, samples, model.processor)
        check_filled(len(samples), self.options)
        return rows

    def held_out(
        self, model: AnsweringModel, track: Track = silent
    ) -> Dataset[dict[str, Tensor]] | None:
        """The encoded samples whose loss is measured while it trains; None where none is.

        As many as a fifth of the training samples at most.

        Raises:
            InputError: The data has no validation split.
        """
        options = self.options
        if options.evaluate_every is None:
            return None
        self.check_held_out()
        size = max(1, options.train_samples // 5)
        return model.encoded(self.data.open("validation", size, options.seed, track), track)

    def check_held_out(self) -> None:
        """Refuse to evaluate while it trains on data that is known to hold nothing out.

        Raises:
            InputError: It has no validation split.
        """
        if self.options.evaluate_every is not None and "validation" not in self.data.splits:
            raise InputError(
                f"{self.options.data} has no validation split, whose loss could be measured while "
                f"it trains: it has {' and '.join(self.data.splits)}"
            )

    def facts(self) -> dict[str, Any]:
        """Where the model comes from, for records; nothing for a `HybridVLM` from nothing."""
        digest = self._class_digest()
        own = {} if digest is None else {"class": digest}
        if self.source is None:
            return own
        digests = json.dumps(model_digests(self.source), sort_keys=True).encode()
        about = {"run": str(self.source.path.resolve()), "trains": self.trains}
        return {**own, "from": {**about, "model": hashlib.sha256(digests).hexdigest()[:16]}}

    def _class_digest(self) -> str | None:
        """Of the file that holds the class of a model of the user's own."""
        if (source := class_file(self.options.model)) is None:
            return None
        return hashlib.sha256(source.read_bytes()).hexdigest()[:16]


def options_from(source: Run, **others: Any) -> TrainingOptions:
    """Options of a training that starts from a trained run.

    Args:
        source: Says what the model and the data are.
        others: The other options, such as ``steps``.
    """
    return replace(TrainingOptions(**others), **source.trained_with())


def _only_circuits(model: AnsweringModel, source: Run) -> None:
    """Take everything but the angles of circuits that train out of training."""
    module = model.module
    found = [layer.weight for layer in layers_outside(module).values()]
    for block in blocks_in(module).values():
        found += block.circuit_parameters() if block.layers else []
    angles = [parameter for parameter in found if parameter.requires_grad]
    if not angles:
        raise InputError(f"{source.path} has no circuits that train: train all of it")
    module.requires_grad_(False)
    for weight in angles:
        weight.requires_grad_(True)


def check_bought(options: TrainingOptions) -> None:
    """Refuse what a ledger's plan does not count.

    Raises:
        InputError: A step of several batches, or losses on held-out samples.
    """
    if options.accumulate > 1 or options.evaluate_every is not None:
        raise InputError(
            "a ledger has one job for each batch that is trained on: neither accumulate nor "
            "evaluate_every goes with it"
        )
    if options.precision != "float32":
        raise InputError(
            f"rows are bought of angles in float32, and precision is {options.precision}: leave "
            "it out"
        )


def check_memory(options: TrainingOptions) -> None:
    """Refuse a training set that is made here and does not fit: no file holds it.

    Raises:
        CapacityError: Its pixels alone, kept and stacked, take more than this machine has.
    """
    if options.model != HYBRID:  # nobody knows what a model of one's own makes of a picture
        return
    vision: Any = configuration(options).vision_config
    pixels = vision.num_channels * vision.image_size**2
    needed, there = 2 * 4 * pixels * options.train_samples, memory_bytes()
    if needed > there:
        raise CapacityError(
            f"{options.train_samples:,} training samples of {pixels:,} numbers take "
            f"{needed / 2**30:.1f} GiB, and this machine's memory is {there / 2**30:.1f} GiB"
        )


def data_facts(samples: Samples) -> dict[str, Any]:
    """What a record says of samples that were read: how many, of what, and what was passed over."""
    if not isinstance(samples, ReadSamples):
        return {}
    return {**samples.facts(), "questions": samples.questions()}


def samples_digest(samples: Samples) -> dict[str, str]:
    """What an interrupted training must find again, for samples that are read."""
    return {"samples": samples.digest} if isinstance(samples, ReadSamples) else {}
