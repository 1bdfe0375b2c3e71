"""What is trained: an untrained model or one that was trained before, and its samples."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from torch import Tensor
from transformers import set_seed

from qvlm_qiskit.basics.memory import memory_bytes
from qvlm_qiskit.data.batch import encode_training
from qvlm_qiskit.data.registry import find_data, open_data
from qvlm_qiskit.errors import CapacityError, InputError, UnknownNameError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor, build_processor
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.runs import Run, model_digests

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

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            InputError: Options that the source contradicts, or circuits of a model without weights.
            UnknownNameError: Other parameters.
        """
        if self.trains not in get_args(Trains):
            raise UnknownNameError("set of parameters", self.trains, get_args(Trains))
        if self.source is None:
            if self.trains != "all":
                raise InputError("a model that starts from nothing is trained as a whole")
            return
        self.source.check_same_model(vars(self.options))

    @classmethod
    def of(cls, options: TrainingOptions, source: Run | None, trains: Trains | None) -> Subject:
        """With what is trained by default: all of a new model, of a trained one its circuits."""
        return cls(options, source, trains or ("all" if source is None else "circuits"))

    def build(self) -> tuple[HybridVLM, HybridVLMProcessor]:
        """The model before its first step, and its processor; random numbers begin anew.

        Raises:
            InputError: It has no angles that could be trained alone.
            RunFolderError: The source is damaged.
        """
        if self.source is None:
            return build_model(self.options)
        model, processor = self.source.model(), self.source.processor()
        if self.trains == "circuits":
            _only_circuits(model, self.source)
        set_seed(self.options.seed)
        return model, processor

    def rows(self, processor: HybridVLMProcessor) -> list[dict[str, Tensor]]:
        """The encoded samples."""
        options = self.options
        samples = open_data(options.data, "train", options.train_samples, options.seed)
        return encode_training(processor, samples)

    def facts(self) -> dict[str, Any]:
        """Where the model comes from, for records; nothing for one that starts from nothing."""
        if self.source is None:
            return {}
        digests = json.dumps(model_digests(self.source), sort_keys=True).encode()
        about = {"run": str(self.source.path.resolve()), "trains": self.trains}
        return {"from": {**about, "model": hashlib.sha256(digests).hexdigest()[:16]}}


def options_from(source: Run, **others: Any) -> TrainingOptions:
    """Options of a training that starts from a trained run.

    Args:
        source: Says what the model and the data are.
        others: The other options, such as ``steps``.
    """
    return replace(TrainingOptions(**others), **source.trained_with())


def _only_circuits(model: HybridVLM, source: Run) -> None:
    """Take everything but the angles of circuits that train out of training."""
    angles = [q.weight for q in model.quantum_layers.values() if q.weight.requires_grad]
    if not angles:
        raise InputError(f"{source.path} has no circuits that train: train all of it")
    model.requires_grad_(False)
    for weight in angles:
        weight.requires_grad_(True)


def configuration(options: TrainingOptions, vocab_size: int = 64) -> HybridVLMConfig:
    """The configuration of the model that options ask for.

    Args:
        options: What to train.
        vocab_size: Of the tokenizer.
    """
    return HybridVLMConfig.recipe(options.recipe, vocab_size, options.blocks, options.chosen_blocks)


def build_model(options: TrainingOptions) -> tuple[HybridVLM, HybridVLMProcessor]:
    """An untrained model and its processor, the same for the same seed."""
    processor = build_processor(configuration(options), find_data(options.data).vocabulary())
    config = configuration(options, len(processor.tokenizer))
    set_seed(options.seed)
    return HybridVLM(config), processor


def check_memory(options: TrainingOptions) -> None:
    """Refuse a training set that does not fit: all of it is encoded before the first step.

    Raises:
        CapacityError: Its pixels alone, kept and stacked, take more than this machine has.
    """
    vision: Any = configuration(options).vision_config
    pixels = vision.num_channels * vision.image_size**2
    needed, there = 2 * 4 * pixels * options.train_samples, memory_bytes()
    if needed > there:
        raise CapacityError(
            f"{options.train_samples:,} training samples of {pixels:,} numbers take "
            f"{needed / 2**30:.1f} GiB, and this machine's memory is {there / 2**30:.1f} GiB"
        )
