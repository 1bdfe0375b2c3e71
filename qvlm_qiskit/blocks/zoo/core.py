"""What every model of the zoo says about itself, and what its circuit and its twin share."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import is_whole, use_plain_numbers
from qvlm_qiskit.blocks.core import BLOCK_KINDS
from qvlm_qiskit.blocks.cores.part import CorePart, refuse_not_finite
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import quantum_layers

Limits = Mapping[str, tuple[int, int]]
Shape = tuple[int | None, ...]
"""Of one sample; None where any size will do."""


@dataclass(frozen=True)
class Sizes:
    """What a core takes, gives and costs.

    Attributes:
        inputs: Shape of one sample: ``(m,)`` features, ``(T, d)`` tokens or ``(C, H, W)`` images.
        outputs: Shape of what becomes of it.
        parameters: Trainable numbers, of the circuit and of its twin alike.
        rows: Rows of parameter values that a machine is asked for each sample.
        shared_rows: Rows that it is asked once for all samples of a call.
    """

    inputs: Shape
    outputs: Shape
    parameters: int
    rows: int
    shared_rows: int = 0

    def count(self, shape: Shape) -> int:
        """Numbers of one sample; of tokens those of one of them."""
        of_one = shape[-1:] if len(shape) == 2 else shape
        return math.prod([side or 1 for side in of_one])


@dataclass(frozen=True)
class Published:
    """A figure that a model was published with.

    Attributes:
        figure: As it stands in the source.
        what: What was measured, on which data.
        source: Where it stands.
        comparable: Whether a table on other data, made alike for all models, may have it beside.
        why: What makes it so.
    """

    figure: str
    what: str
    source: str
    comparable: bool
    why: str


@dataclass(frozen=True)
class CoreConfig:
    """Options that every model of the zoo has; each adds its own sizes.

    Attributes:
        kind: ``"quantum"``, ``"classical"`` (the twin) or ``"frozen"``.
        gate: Of the block around it: ``"scalar"`` or ``"channel"``.
        initial_gate: γ of that block before training.
    """

    kind: str = "quantum"
    gate: str = "scalar"
    initial_gate: float = 0.5

    limits: ClassVar[Limits] = {}
    """Field → the least and the largest whole number it may be."""

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind.
            InputError: A number that is no whole one, or out of range, or no truth value where
                one is asked for.
        """
        use_plain_numbers(self)
        if self.kind not in BLOCK_KINDS:
            raise UnknownNameError("block kind", str(self.kind), BLOCK_KINDS)
        for name, (least, most) in self.limits.items():
            value = getattr(self, name)
            if not is_whole(value) or not least <= value <= most:
                raise InputError(f"{name} is a whole number from {least} to {most}, got {value!r}")
        for field in dataclasses.fields(self):
            if field.type == "bool" and not isinstance(value := getattr(self, field.name), bool):
                raise InputError(f"{field.name} is True or False, got {value!r}")

    @property
    @abstractmethod
    def sizes(self) -> Sizes:
        """What the core takes, gives and costs."""


class WideLinear(nn.Linear):
    """A linear map that computes in its input's precision: in double where rows are bought."""

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``, of the dtype of the input."""
        bias = None if self.bias is None else self.bias.to(values.dtype)
        return F.linear(values, self.weight.to(values.dtype), bias)


class SizedCore(CorePart):
    """What a circuit and its twin have in common: sizes, and samples of the right shape alone."""

    def __init__(self, config: Any) -> None:
        """Create the parts.

        Args:
            config: Of the circuit.
        """
        super().__init__()
        self.config = config
        self.sizes: Sizes = config.sizes

    @abstractmethod
    def values(self, samples: Tensor) -> Tensor:
        """What `forward` returns, for samples of the right shape."""

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw the parameters that are no layer's own; by default there are none."""

    def circuit_parameters(self) -> list[Tensor]:
        """What a frozen core does not train: by default the weights of its quantum layers."""
        return [layer.weight for layer in quantum_layers(self).values()]

    def freeze(self) -> Self:
        """Take a frozen core's circuit out of training (again, after loading weights)."""
        if self.config.kind == "frozen":
            for parameter in self.circuit_parameters():
                parameter.requires_grad_(False)
        return self

    def forward(self, samples: Tensor) -> Tensor:
        """Values of samples.

        Args:
            samples: Leading dimensions, then the shape `sizes.inputs`; of any float dtype.

        Returns:
            The same leading dimensions, then `sizes.outputs`.

        Raises:
            InputError: Samples of another shape, no float tensor, or NaN or infinity among them:
                a twin refuses what its circuit refuses.
        """
        wanted, given = self.sizes.inputs, tuple(samples.shape)
        found = given[-len(wanted) :]
        fits = len(found) == len(wanted) and all(
            want in (None, have) for want, have in zip(wanted, found, strict=True)
        )
        if not fits or not samples.is_floating_point():
            shown = ", ".join("any" if side is None else str(side) for side in wanted)
            kind = str(samples.dtype).removeprefix("torch.")
            raise InputError(f"expected a float tensor (…, {shown}), got {kind} {given}")
        refuse_not_finite("inputs", samples)
        return self.values(samples)


class Core(SizedCore):
    """Samples → values: a published circuit with its read-out.

    A subclass builds its circuit in ``__init__``, computes in :meth:`values`, and says its twin. It
    has as few linear maps of its own as its source allows; those whose values become angles are
    :class:`WideLinear`.

    Attributes:
        config_class: Its configuration.
        unit_inputs: Whether inputs are meant to be from 0 to 1, as pixels are; a block brings its
            features there by a sigmoid.
        published: Figures of its source.
    """

    config_class: ClassVar[type[CoreConfig]]
    unit_inputs: ClassVar[bool] = False
    published: ClassVar[tuple[Published, ...]] = ()

    @classmethod
    @abstractmethod
    def twin(cls, config: Any) -> SizedCore:
        """A classical core of the same sizes."""

    @classmethod
    def made(cls, config: Any) -> SizedCore:
        """The circuit of a configuration or, of kind ``"classical"``, its twin."""
        core = cls.twin(config) if config.kind == "classical" else cls(config)
        return core.freeze()

    @property
    def closed_form(self) -> bool:
        """Whether values may be computed without circuits: no machine is set by ``run_on``."""
        return not any(layer.runs_elsewhere for layer in quantum_layers(self).values())
