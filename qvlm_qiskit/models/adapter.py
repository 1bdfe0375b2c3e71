"""A pretrained vision tower and language model with the quantum adapter between, as a run's model.

``--model 'adapter(vision=PLACE,language=PLACE,num_qubits=6)'`` trains, evaluates, submits and asks
it as any other. The pretrained weights stay where they are: a run folder has the adapter alone, and
the names of the rest with what tells them apart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import set_seed

from qvlm_qiskit.adapter.captioning import learned_batch, learned_tokens, prompt_batch
from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.decoders import open_tokenizer
from qvlm_qiskit.adapter.modeling import QuantumVisionLanguageModel
from qvlm_qiskit.adapter.pixel_tower import NAME as PIXELS
from qvlm_qiskit.adapter.pixel_tower import PixelTower
from qvlm_qiskit.adapter.pretrained import content
from qvlm_qiskit.adapter.towers import VisionTower
from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.basics.option_texts import read_options
from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.registry import DataSet
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.classifier import texts_of
from qvlm_qiskit.models.generate import notes_of_longer
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, run_on
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.recipes import MAX_NEW_TOKENS, TrainingOptions

TOWER = "tower.json"
AT_ONCE = 32
REGIONS, MOST_REGIONS = 3, 64
"""Regions along each side of a picture, unless another number is asked for."""


@dataclass(frozen=True)
class AdapterOptions:
    """What stands in the parentheses of ``adapter(…)``.

    Attributes:
        vision: Folder or Hub name of the vision tower, or "pixels" for grey levels themselves.
        language: Folder, Hub name or ``.gguf`` file of the language model.
        projection: Kind of projection: quantum, classical, frozen or linear.
        num_qubits: Of its circuit.
        num_layers: Of its circuit.
        ansatz: mixed or source.
        read: zz or z.
        tokens: Vision tokens of a picture.
        keep: Width of a linear map that is kept in front of the circuit; none for none.
        encoding: angle or amplitude.
        attention: Over regions of a picture: scores or values by the circuit; none for none.
        grid: Regions along each side of a picture, where there is attention; 3 by default.
        pool: How the tower's tokens become one vector: auto, cls, pooled or mean.
        adapter: A method of peft, perhaps with options.
        beams: Of the search for an answer.
        cache: A folder that keeps features of pictures; none for none.
        block: A model of the block zoo in the circuit's place, ``NAME`` or
            ``NAME(option=value,…)``; none for none.
    """

    vision: str
    language: str
    projection: str = "quantum"
    num_qubits: int = 4
    num_layers: int = 3
    ansatz: str = "mixed"
    read: str = "zz"
    tokens: int = 1
    keep: int | None = None
    encoding: str = "angle"
    attention: str | None = None
    grid: int | None = None
    pool: str = "auto"
    adapter: str = "lora"
    beams: int = 3
    cache: str | None = None
    block: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be built, before anything is opened.

        Raises:
            QVLMError: A projection that can't be, no beams, a grid without attention, or a block
                beside options of the circuit whose place it takes.
        """
        self.config()
        if self.block is not None:
            self._check_unused()
        if self.grid is not None and self.attention is None:
            raise InputError("a grid of regions goes with attention=scores or attention=values")
        if self.grid is not None and not 1 <= self.grid <= MOST_REGIONS:
            raise InputError(f"grid is a whole number from 1 to {MOST_REGIONS}, got {self.grid}")
        if self.vision == PIXELS and self.pool != "auto":
            raise InputError(f"pixels are one vector of a picture: leave pool={self.pool} out")
        if self.beams < 1:
            raise InputError(f"beams must be at least 1, got {self.beams}")

    def _check_unused(self) -> None:
        """Refuse what is said of a circuit that is not there; pixels are 2ⁿ all the same."""
        for name in ("num_qubits", "num_layers", "ansatz", "read"):
            said = getattr(self, name)
            sized = name == "num_qubits" and self.vision == PIXELS
            if said != type(self).__dataclass_fields__[name].default and not sized:
                raise InputError(
                    f"block {self.block!r} takes the place of the circuit that {name}={said} is "
                    "about: leave it out"
                )

    def config(self) -> ProjectionConfig:
        """The projection's own options."""
        return ProjectionConfig(
            kind=self.projection, num_qubits=self.num_qubits, num_layers=self.num_layers,
            ansatz=self.ansatz, read=self.read, tokens=self.tokens, keep=self.keep,
            attention=self.attention, encoding=self.encoding, block=self.block,
        )  # fmt: skip

    def tower(self) -> VisionTower | PixelTower:
        """What sees pictures."""
        grid = None if self.attention is None else self.grid or REGIONS
        if self.vision == PIXELS:
            return PixelTower(self.num_qubits, grid)
        cache = None if self.cache is None else Path(self.cache).expanduser()
        return VisionTower(self.vision, self.pool, cache, grid)


@register_model("adapter")
@dataclass(frozen=True)
class AdapterModel:
    """Tower, tokenizer and what is trained; pictures are seen once, as features.

    Attributes:
        name: What ``--model`` calls it.
        options: In its parentheses.
        tower: Frozen.
        tokenizer: Of the language model.
        model: The language model with adapter and projection.
        max_new_tokens: Longest answer.
    """

    name: str
    options: AdapterOptions
    tower: VisionTower | PixelTower
    tokenizer: Any
    model: QuantumVisionLanguageModel
    max_new_tokens: int = MAX_NEW_TOKENS
    passes: ClassVar[int] = 1

    @classmethod
    def build(cls, options: TrainingOptions, data: DataSet, samples: Callable[[], Samples]) -> Self:
        """The untrained adapter between the models that the options name.

        Raises:
            QVLMError: One of them can't be opened, or does not fit.
        """
        given = PlacedName.read(options.model)
        own: AdapterOptions = read_options(AdapterOptions, given.options, "adapter(…)")
        tokenizer, tower = open_tokenizer(own.language), own.tower()
        set_seed(options.seed)
        model = QuantumVisionLanguageModel(own.language, tower.width, own.config(), own.adapter)
        return cls(options.model, own, tower, tokenizer, model)

    @staticmethod
    def has_circuits(name: str) -> bool:
        """Whether a model of this name, with its options, would have some; nothing is opened."""
        own: AdapterOptions = read_options(AdapterOptions, PlacedName.read(name).options, name)
        tuner = PlacedName.read(own.adapter.replace("_", "-").lower())
        inside = tuner.name == "quantum-lora" and tuner.options.get("core") != "classical"
        return own.projection in ("quantum", "frozen") or inside

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote, on the pretrained weights that it names.

        Raises:
            InputError: They are not those that it was trained with.
        """
        about = json.loads((folder / TOWER).read_text(encoding="utf-8"))
        own = AdapterOptions(**about["options"])
        tower = own.tower()
        model = QuantumVisionLanguageModel.from_pretrained(folder)
        for what, now in _digests(tower, model).items():
            if about["digests"][what] != now:
                raise InputError(
                    f"the {what} at {getattr(own, what)} has other weights than the one that this "
                    "adapter was trained with"
                )
        return cls(about["model"], own, tower, open_tokenizer(own.language), model)

    def save(self, folder: Path) -> None:
        """Write adapter and projection, and what the pretrained weights are."""
        self.model.save_pretrained(folder)
        about = {"model": self.name, "options": dataclasses.asdict(self.options)}
        write_json(folder / TOWER, {**about, "digests": _digests(self.tower, self.model)})

    @property
    def module(self) -> nn.Module:
        """What is trained."""
        return self.model

    @property
    def quantum_layers(self) -> Mapping[str, QuantumLayer]:
        """The projection's circuit."""
        return self.model.quantum_layers

    def run_on(
        self, backend: EstimatorSource | BaseEstimatorV2, gradient: SampledGradient | None = None
    ) -> AbstractContextManager[None]:
        """Run the circuit on another estimator; as a context manager, until its end."""
        return run_on(self.model, backend, gradient)

    def encoded(self, samples: Samples, track: Track = silent) -> Dataset[dict[str, Tensor]]:
        """Features, prompts and answers as rows of equal shapes.

        Raises:
            InputError: No samples, or an empty answer.
        """
        return _Rows(self, samples, track)

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Features and prompts as one batch."""
        features = self.tower.features([one.image for one in samples])
        prompts = prompt_batch(self.tokenizer, [one.question for one in samples])
        return {"features": features, **prompts}

    def answers(self, samples: Sequence[Sample]) -> list[str]:
        """What is written behind the prompts; the circuit runs once for a picture or region."""
        with torch.inference_mode():
            found = self.model.generate(
                **self.inputs(samples),
                max_new_tokens=self.max_new_tokens,
                num_beams=self.options.beams,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        texts: list[str] = self.tokenizer.batch_decode(found, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def limited(self, max_new_tokens: int) -> Self:
        """The same with answers of at most so many tokens."""
        return dataclasses.replace(self, max_new_tokens=max_new_tokens)

    def check_questions(self, samples: Sequence[Sample]) -> None:
        """Any text can be read."""

    def accepts(self, sample: Sample, answer: str) -> bool:
        """What the data set says, word for word."""
        return sample.accepts(answer)

    def notes(self, samples: Sequence[Sample]) -> list[str]:
        """How many samples have no answer that is short enough to be written."""
        return notes_of_longer(self.tokenizer, samples, self.max_new_tokens)

    def sample(
        self, image: Image.Image, question: str | None, questions: Mapping[str, str]
    ) -> Sample:
        """A picture and a prompt; by default the only one of its data, or none."""
        known = list(questions.items())
        kind, own = known[0] if len(known) == 1 else ("question", "")
        return Sample(image, kind, own if question is None else question, answer="")

    def described(self) -> dict[str, Any]:
        """The models that it stands between."""
        return {"model": {"name": self.name, "digests": _digests(self.tower, self.model)}}


class _Rows(Dataset[dict[str, Tensor]]):
    """Features once, tokens padded alike."""

    def __init__(self, model: AdapterModel, samples: Samples, track: Track) -> None:
        if not len(samples):
            raise InputError("training needs at least 1 sample")
        pairs = texts_of(samples)
        longest = max(len(learned_tokens(model.tokenizer, *pair)[0]) for pair in pairs)
        self._columns = learned_batch(model.tokenizer, pairs, longest)
        found = []
        with track("looking at pictures", len(samples)) as report:
            for start in range(0, len(samples), AT_ONCE):
                part = range(start, min(start + AT_ONCE, len(samples)))
                found.append(model.tower.features([samples[i].image for i in part]))
                report(part.stop)
        self._columns["features"] = torch.cat(found)

    def __len__(self) -> int:
        return len(self._columns["features"])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self._columns.items()}


def _digests(tower: VisionTower | PixelTower, model: QuantumVisionLanguageModel) -> dict[str, str]:
    """What tells pretrained weights apart: the tower's, and the language model's frozen ones."""
    found = hashlib.sha256()
    for name, parameter in model.decoder.named_parameters():
        if not parameter.requires_grad:
            found.update(name.encode())
            found.update(content(parameter))
    return {"vision": tower.digest, "language": found.hexdigest()}
