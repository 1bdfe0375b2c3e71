"""Names of recipes, blocks, data sets and metrics, and what a training is asked for.

Nothing here needs torch, so that a wrong name or number is refused in a moment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.registry import Registry
from qvlm_qiskit.errors import InputError, UnknownNameError, arrived

RECIPE_NAMES = ("tiny", "small", "paper")
"""Names of the recipes of `HybridVLMConfig.recipe`."""
KINDS_OF_BLOCKS = ("quantum", "classical", "frozen", "none")
"""What the blocks of a model can be; "none" leaves them out."""
READS = ("picture", "question")
"""What a block between small maps may be given: the patches of the one, or words of the other."""
BLOCK_PLACES = ("vision", "text")
"""Where blocks stand in `HybridVLM`; `qvlm_qiskit.blocks.PLACES` says what they are given there."""
VISION_ATTENTIONS = ("full", "latent")
"""What its vision tower attends with: ViT's own, or MLA."""
PRECISIONS = ("float32", "bf16", "fp16")
"""What a training computes in; circuits, gates, routers and hyper-connections stay in single."""
BLOCKS: Registry[Any] = Registry(
    "block",
    "qvlm_qiskit.blocks",
    "blocks",
    besides={
        "autoencoder", "block", "build", "circuit_block", "core", "cores", "gate", "insert",
        "pooled_states", "registry", "twins", "zoo",
    },
    also=("blocks/zoo",),
)  # fmt: skip
"""Names of blocks; `qvlm_qiskit.blocks.registry` says what a block is."""
DATA_SETS: Registry[Any] = Registry(
    "data set",
    "qvlm_qiskit.data",
    "data",
    besides={"batch", "images", "reading", "registry", "sample"},
    first=("digits",),
)
"""Names of data sets; `qvlm_qiskit.data.registry` says what a data set is."""
HYBRID = "hybrid-vlm"
"""What `HybridVLM` with its processor is called among models."""
MODELS: Registry[Any] = Registry(
    "model",
    "qvlm_qiskit.models",
    "models",
    besides={
        "asked_classifier", "classifier", "encoded_rows", "generate", "own_model", "pixel_tensors",
        "protocol", "registry", "sizes", "word_tokens",
    },
    first=(HYBRID,),
)  # fmt: skip
"""Names of models; `qvlm_qiskit.models.protocol` says what a model is."""
METRICS: Registry[Any] = Registry(
    "metric",
    "qvlm_qiskit.metrics",
    "evaluation/metrics",
    besides={"bootstrap", "intervals", "measure", "metric", "registry"},
    first=("exact-match", "vqa-accuracy", "next-token-accuracy", "perplexity", "bleu"),
)
"""Names of metrics; `qvlm_qiskit.evaluation.metrics.registry` says what a metric is."""
SCHEDULES = (
    "cosine", "linear", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt",
)  # fmt: skip
"""Learning rates over the steps, by transformers' names."""
MAX_NEW_TOKENS = 16
"""Of a generated answer, unless another length is asked for."""
MOST_STEPS, MOST_SAMPLES = 10**9, 10**6
"""More is a slip of the hand; a million samples are made and encoded in an hour."""
MOST_STREAMS = 64
"""More residual streams than that are a slip of the hand; the source has 4."""
LATER = {
    "data": "digits", "vision_block": None, "text_block": None, "tokenizer": None,
    "image_size": None, "schedule": "cosine", "clip": 1.0, "accumulate": 1,
    "evaluate_every": None, "patience": None, "reports": "", "model": HYBRID,
    "streams": None, "vision_attention": None, "router_loss": None, "precision": "float32",
    "recompute": False,
}  # fmt: skip
"""Training options that version 0.1.0 did not have → what it did."""

OF_THE_MODEL = (
    "recipe", "blocks", "vision_block", "text_block", "data", "train_samples", "seed", "tokenizer",
    "image_size", "model", "streams", "vision_attention",
)  # fmt: skip
"""Training options that a training which starts from a run has from there."""

OF_THE_HYBRID = (
    "recipe", "blocks", "vision_block", "text_block", "tokenizer", "image_size", "streams",
    "vision_attention", "router_loss", "recompute",
)  # fmt: skip
"""Those that are about `HybridVLM` alone."""


def data_name(data: str, columns: str | None = None, *, strict: bool = False) -> str:
    """A data set's whole name, as records keep it: with an absolute path and all options.

    Args:
        data: NAME, NAME:PLACE or NAME:PLACE(key=value,…).
        columns: More options: "image=photo,answer=species".
        strict: Whether a row that can't be used is an error.

    Raises:
        InputError: It is not of that form.
        UnknownNameError: There is no such data set.
    """
    given = PlacedName.read(data)
    DATA_SETS.check(given.name)
    place = given.place
    if place is not None and Path(place).expanduser().exists():
        place = str(Path(place).expanduser().resolve())
    elif place is not None and place.partition(":")[0] in DATA_SETS.names():
        place = data_name(place)  # a data set over another one
    more = {} if columns is None else _columns(columns)
    return str(
        PlacedName(
            given.name, place, {**given.options, **more, **({"strict": "yes"} if strict else {})}
        )
    )


def _columns(text: str) -> Mapping[str, str]:
    try:
        return PlacedName.read(f"data({text})").options
    except InputError as error:
        raise InputError(f"--columns is of the form image=photo,…, got {arrived(text)}") from error


def check_recipe(name: str, blocks: str = "quantum") -> None:
    """Refuse an unknown recipe or kind of block.

    Raises:
        UnknownNameError: One of them is unknown.
    """
    if name not in RECIPE_NAMES:
        raise UnknownNameError("recipe", name, RECIPE_NAMES)
    block_kinds(blocks)


def block_kinds(blocks: str) -> dict[str, str]:
    """Place → kind of its block, from one key for all or "vision=quantum,text=none".

    Args:
        blocks: A kind for every place, or kinds of some; the others are quantum.

    Raises:
        UnknownNameError: No such kind or place.
        InputError: A place that is named twice.
    """
    if "=" not in blocks:
        return dict.fromkeys(BLOCK_PLACES, _kind(blocks))
    found: dict[str, str] = {}
    for part in blocks.split(","):
        place, _, kind = (word.strip() for word in part.partition("="))
        if place not in BLOCK_PLACES:
            raise UnknownNameError("place", place, BLOCK_PLACES)
        if place in found:
            raise InputError(f"blocks={blocks} names {place} twice")
        found[place] = _kind(kind)
    return {place: found.get(place, KINDS_OF_BLOCKS[0]) for place in BLOCK_PLACES}


def _kind(name: str) -> str:
    if name not in KINDS_OF_BLOCKS:
        raise UnknownNameError("kind of block", name, KINDS_OF_BLOCKS)
    return name


def read_block_name(text: str) -> PlacedName:
    """A block's name and the texts of its options, of ``NAME`` or ``NAME(option=value,…)``.

    Which options it has, the block itself says later (`qvlm_qiskit.blocks.registry.read_block`).

    Raises:
        InputError: It is of another form, or says the block's kind.
        UnknownNameError: There is no such block.
    """
    placed = PlacedName.read(text)
    if placed.place is not None:
        raise InputError(f"a block is written as NAME or NAME(option=value,…), got {text!r}")
    BLOCKS.check(placed.name)
    return placed


def check_reading(options: Any, about: Mapping[str, Sequence[str]]) -> None:
    """Refuse what nothing is read from, and options that are about what is not read.

    Args:
        options: A dataclass with a field ``reads``.
        about: One of `READS` → the options that are about it alone.

    Raises:
        UnknownNameError: Something else is to be read.
        InputError: An option of the other one is said.
    """
    if options.reads not in READS:
        raise UnknownNameError("value of reads", str(options.reads), READS)
    usual = {field.name: field.default for field in fields(options)}
    for reads, names in about.items():
        said = [name for name in names if getattr(options, name) != usual[name]]
        if said and reads != options.reads:
            raise InputError(f"{said[0]} is for reads={reads}, and reads={options.reads} is asked")


def check_model(name: str) -> None:
    """Refuse an unknown name of a model; a class of the user's own is looked for later.

    Raises:
        InputError: It is not of the form NAME, MODULE:CLASS, or one of them with options.
        UnknownNameError: There is no such name.
    """
    placed = PlacedName.read(name)
    if placed.place is None:
        try:
            MODELS.check(placed.name)
        except UnknownNameError as error:
            hint = "A class of your own is MODULE:CLASS"
            raise UnknownNameError("model", placed.name, error.known, hint) from None
        if placed.name == HYBRID and placed.options:
            raise InputError(f"{HYBRID} takes no options of this kind: it has a recipe and blocks")


@dataclass(frozen=True)
class TrainingOptions:
    """What decides a training run, together with the package versions.

    Attributes:
        recipe: Model recipe.
        blocks: ``"quantum"``, ``"classical"``, ``"frozen"`` or ``"none"``, or one for each place:
            ``"vision=quantum,text=none"``.
        steps: Optimiser steps.
        batch_size: Samples per step.
        learning_rate: Peak of the cosine schedule.
        weight_decay: Of AdamW.
        warmup_steps: Linear warm-up; by default a tenth of the steps.
        train_samples: Size of the training set; data that is read may have fewer.
        checkpoint_every: Steps between checkpoints for ``--resume``.
        seed: Of the weights, the data and the order of batches.
        data: Name of the data set, with its place if it lies somewhere: "folder:/home/me/pictures".
        vision_block: The block behind the patch embeddings, by its name or with options,
            "qcnn(encoding=mps,pooling=1)"; by default the recipe's.
        text_block: The block behind the token embeddings; by default the recipe's.
        tokenizer: Folder or Hub name of a pretrained tokenizer; by default each word of the
            training data is a token.
        image_size: Side of the images in pixels; by default the recipe's.
        schedule: Of the learning rate, one of `SCHEDULES`.
        clip: Largest norm of a step's gradient.
        accumulate: Batches of a step; their gradients' mean is taken.
        evaluate_every: Steps between two losses on held-out samples; the weights with the lowest
            are kept at the end.
        patience: End the training after so many of them without a lower one.
        reports: Names of transformers' reporters, joined by commas, such as "tensorboard".
        model: Name of the model: an entry point's, or "my_module:MyModel(num_qubits=4)". What is
            said of recipes, blocks, tokenizers and image sizes is about the default one.
        streams: Residual streams of the decoder's hyper-connections (mHC), 1 for plain residuals;
            by default the recipe's.
        vision_attention: Of the vision tower, one of `VISION_ATTENTIONS`; by default the recipe's.
        router_loss: Weight of the experts' load-balance loss; by default the recipe's.
        precision: What it computes in by autocast, one of `PRECISIONS`.
        recompute: Whether a layer's activations are computed again in the backward pass instead of
            being kept.
    """

    recipe: str = "small"
    blocks: str = "quantum"
    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int | None = None
    train_samples: int = 16000
    checkpoint_every: int = 250
    seed: int = 0
    data: str = "digits"
    vision_block: str | None = None
    text_block: str | None = None
    tokenizer: str | None = None
    image_size: int | None = None
    schedule: str = "cosine"
    clip: float = 1.0
    accumulate: int = 1
    evaluate_every: int | None = None
    patience: int | None = None
    reports: str = ""
    model: str = HYBRID
    streams: int | None = None
    vision_attention: str | None = None
    router_loss: float | None = None
    precision: str = "float32"
    recompute: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be trained with.

        Raises:
            InputError: A number out of range, or an unknown name.
        """
        for name in ("steps", "batch_size", "train_samples", "checkpoint_every", "accumulate"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("evaluate_every", "patience"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if self.patience is not None and self.evaluate_every is None:
            raise InputError("patience counts evaluations: say evaluate_every too")
        if self.evaluate_every is not None and self.evaluate_every > self.steps:
            raise InputError(
                f"evaluate_every is {self.evaluate_every}, and there are {self.steps} steps: "
                "nothing would be evaluated"
            )
        for name, most in (("steps", MOST_STEPS), ("train_samples", MOST_SAMPLES)):
            if getattr(self, name) > most:
                raise InputError(f"{name} must be at most {most:,}, got {getattr(self, name):,}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        if not 0 < self.clip < math.inf:
            raise InputError(f"clip must be positive and finite, got {self.clip}")
        if self.schedule not in SCHEDULES:
            raise UnknownNameError("schedule", self.schedule, SCHEDULES)
        check_recipe(self.recipe, self.blocks)
        self._check_decoder()
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed must be in 0 … 2³²-1, got {self.seed}")
        DATA_SETS.check(PlacedName.read(self.data).name)
        for block in self.chosen_blocks.values():
            read_block_name(block)
        check_model(self.model)
        if self.model != HYBRID:
            self._check_own()

    def _check_decoder(self) -> None:
        """Refuse what no recipe can be changed to, and an unknown precision."""
        if self.streams is not None and not 1 <= self.streams <= MOST_STREAMS:
            raise InputError(f"streams must be 1 … {MOST_STREAMS}, got {self.streams}")
        if self.router_loss is not None and not 0 <= self.router_loss < math.inf:
            raise InputError(f"router_loss must be at least 0, got {self.router_loss}")
        if self.vision_attention not in (None, *VISION_ATTENTIONS):
            raise UnknownNameError("vision attention", self.vision_attention, VISION_ATTENTIONS)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)

    def _check_own(self) -> None:
        """Refuse options of another model than the one that is chosen."""
        for name in OF_THE_HYBRID:
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise InputError(
                    f"{name} is an option of {HYBRID}; those of {self.model.partition('(')[0]} "
                    "stand behind its name, as in (num_qubits=4)"
                )

    @property
    def chosen_blocks(self) -> dict[str, str]:
        """Place → the block that stands there instead of the recipe's, with its options."""
        chosen = {"vision": self.vision_block, "text": self.text_block}
        return {place: name for place, name in chosen.items() if name is not None}

    def facts(self) -> dict[str, Any]:
        """The options as plain data that tells trainings apart.

        An option that version 0.1.0 did not have is left out where it is as it was there, so that
        what was made then is recognised.
        """
        options = asdict(self)
        return {k: v for k, v in options.items() if k not in LATER or v != LATER[k]}
