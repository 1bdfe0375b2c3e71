"""A model of one's own: what to write, and what there is already.

Written are ``inputs``, ``labels``, ``forward`` and ``texts``, and ``learn`` where the data decides
something. `Classifier` leaves ``inputs`` and ``forward``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from qiskit.primitives.base import BaseEstimatorV2
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from transformers import set_seed

from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.basics.option_texts import read_options
from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.registry import DataSet
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError, QVLMError
from qvlm_qiskit.models.encoded_rows import EncodedRows
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, quantum_layers, run_on
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.recipes import MAX_NEW_TOKENS, TrainingOptions

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT, VERSION = "qvlm-own-model", 1


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """Of a model that takes none."""


class OwnModel(nn.Module, ABC):
    """A torch module that can be trained, evaluated, submitted and asked as `HybridVLM` can.

    Attributes:
        options_type: A dataclass; its fields are what ``--model-option`` sets.
        options: Of that type.
        learned: What `learn` has found; with the options it makes the model anew.
        name: What ``--model`` calls it.
    """

    options_type: ClassVar[type[Any]] = NoOptions

    def __init__(self, options: Any = None, **learned: Any) -> None:
        """Keep what the model is made of; to be called first in a subclass's ``__init__``.

        Args:
            options: Of `options_type`; by default its defaults.
            learned: What `learn` has found, JSON-able.
        """
        super().__init__()
        self.options = self.options_type() if options is None else options
        self.learned = learned
        self.name = f"{type(self).__module__}:{type(self).__qualname__}"

    @classmethod
    def learn(cls, samples: Samples) -> dict[str, Any]:
        """What the training samples decide, JSON-able: further arguments of ``__init__``."""
        return {}

    @abstractmethod
    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Arguments of ``forward`` by name, each with one entry per sample."""

    @abstractmethod
    def labels(self, samples: Sequence[Sample]) -> Tensor:
        """The argument ``labels`` of ``forward``: what it is to learn, one entry per sample.

        Raises:
            InputError: A sample whose answer it can't learn.
        """

    @abstractmethod
    def texts(self, output: Mapping[str, Any]) -> list[str]:
        """One answer per sample, from what ``forward`` returned without labels."""

    def accepts(self, sample: Sample, answer: str) -> bool:
        """Whether an answer is right: what the data set says, word for word."""
        return sample.accepts(answer)

    def limited(self, max_new_tokens: int) -> Self:
        """Itself: it gives its answers at once.

        Raises:
            InputError: Another length than the usual one is asked for.
        """
        if max_new_tokens != MAX_NEW_TOKENS:
            raise InputError(
                f"{self.name} gives its answers at once: they have no length in tokens"
            )
        return self

    def check_questions(self, samples: Sequence[Sample]) -> None:
        """Refuse questions that can't be answered; by default none."""

    def notes(self, samples: Sequence[Sample]) -> list[str]:
        """Sentences about samples that it can't answer rightly."""
        return []

    @property
    def module(self) -> nn.Module:
        """Itself."""
        return self

    @property
    def quantum_layers(self) -> dict[str, QuantumLayer]:
        """Every quantum layer by its module name."""
        return quantum_layers(self)

    @property
    def passes(self) -> int:
        """One forward pass gives an answer."""
        return 1

    def run_on(
        self, backend: EstimatorSource | BaseEstimatorV2, gradient: SampledGradient | None = None
    ) -> AbstractContextManager[None]:
        """Run all quantum layers on another estimator; as a context manager, until its end."""
        return run_on(self, backend, gradient)

    def encoded(self, samples: Samples, track: Track = silent) -> EncodedRows:
        """Rows of `inputs` and `labels`."""
        return EncodedRows(self._taught, samples, track)

    def answers(self, samples: Sequence[Sample]) -> list[str]:
        """One answer per sample, by one forward pass."""
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        with torch.inference_mode(), self._said("inputs, forward or texts", samples):
            given = {name: tensor.to(device) for name, tensor in self.inputs(samples).items()}
            found = self.texts(self(**given))
        if len(found) != len(samples):
            raise InputError(f"{self.name} gave {len(found)} answers to {len(samples)} samples")
        return found

    def sample(
        self, image: Image.Image, question: str | None, questions: Mapping[str, str]
    ) -> Sample:
        """An image and what is asked about it; by default the only question of its data."""
        known = list(questions.items())
        kind, own = known[0] if len(known) == 1 else ("question", "")
        return Sample(image, kind, own if question is None else question, answer="")

    @classmethod
    def build(cls, options: TrainingOptions, data: DataSet, samples: Callable[[], Samples]) -> Self:
        """The untrained model that ``--model`` asks for, tried on a few samples.

        Raises:
            InputError: An option that it does not take, or samples that it can't be taught.
        """
        given = PlacedName.read(options.model)
        own = read_options(cls.options_type, given.options, options.model)
        found = samples()
        set_seed(options.seed)
        model = cls(own, **cls.learn(found))
        model.name = options.model
        model.check([found[number] for number in range(min(2, len(found)))])
        return model

    def check(self, samples: Sequence[Sample]) -> None:
        """Make one forward pass with labels, and refuse what can't be trained or answered.

        Raises:
            InputError: It fails, returns no loss that can be differentiated, or no texts.
        """
        trained = self.training
        with self._said("inputs, labels, forward or texts", samples), self._undisturbed():
            found = self.eval()(**self._taught(samples))
            loss = found["loss"] if isinstance(found, Mapping) and "loss" in found else None
            texts = None if loss is None else self.texts(found)
        self.train(trained)
        if not (isinstance(loss, Tensor) and loss.ndim == 0 and loss.requires_grad):
            raise InputError(
                f"{self.name}: forward with labels returns a mapping with the loss under 'loss', "
                "one number that can be differentiated"
            )
        if shared := _shared(self.state_dict()):
            raise InputError(
                f"{self.name}: {' and '.join(shared)} are one tensor, which files hold once: give "
                "it one name and use it twice in forward"
            )
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{self.name}: texts returns a list of one text per sample")

    def save(self, folder: Path) -> None:
        """Write what the model is made of as JSON, and its weights as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self, str(folder / WEIGHTS))
        about = {"format": FORMAT, "version": VERSION, "model": self.name}
        made_of = {"options": dataclasses.asdict(self.options), "learned": self.learned}
        write_json(folder / CONFIG, {**about, **made_of})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that `save` wrote, in evaluation mode."""
        about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if (about["format"], about["version"]) != (FORMAT, VERSION):
            raise InputError(f"{folder / CONFIG} is of another format or version")
        model = cls(cls.options_type(**about["options"]), **about["learned"])
        model.name = about["model"]
        load_model(model, str(folder / WEIGHTS))
        return model.eval()

    def described(self) -> dict[str, Any]:
        """Its class, and the file that holds it, for whoever lacks it."""
        kind = type(self)
        home = {"class": f"{kind.__module__}:{kind.__qualname__}", "file": inspect.getfile(kind)}
        return {"model": {"name": self.name, **home}}

    def _taught(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        with self._said("inputs or labels", samples):
            return {**self.inputs(samples), "labels": self.labels(samples)}

    @contextmanager
    def _said(self, what: str, samples: Sequence[Sample]) -> Iterator[None]:
        """What a user's methods raise on samples becomes one error that names both."""
        try:
            yield
        except QVLMError:
            raise
        except Exception as error:
            reason = shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")
            first = f", the first from {samples[0].sources[0]}" if samples[0].sources else ""
            raise InputError(
                f"{self.name}: {what} failed on {len(samples)} samples{first} ({reason})"
            ) from error

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """What the block draws, what comes later draws again."""
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield


def _shared(weights: Mapping[str, Tensor]) -> list[str]:
    """Names of two weights that are one tensor; empty where there are none."""
    known: dict[int, str] = {}
    for name, tensor in weights.items():
        if tensor.numel() and (other := known.setdefault(tensor.data_ptr(), name)) != name:
            return [other, name]
    return []
