"""What the configurations of all tuners have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from peft import PeftConfig

from qvlm_qiskit.adapter.tuners.registration import TunerType
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.errors import InputError


@dataclass
class TunerConfig(PeftConfig):
    """Which modules of a model are tuned; as in ``peft.LoraConfig``.

    Attributes:
        target_modules: Names or ends of names of linear layers, a regular expression of whole
            names, or "all-linear"; None for what LoRA takes in models of this type.
        exclude_modules: Names, ends of names or a regular expression of those that are not.
        modules_to_save: Modules that are trained and saved whole.
        layers_to_transform: Indices of the model's layers whose targets are meant.
        layers_pattern: Name of the list that the indices belong to.
    """

    target_modules: list[str] | set[str] | str | None = None
    exclude_modules: list[str] | set[str] | str | None = None
    modules_to_save: list[str] | None = None
    layers_to_transform: list[int] | int | None = None
    layers_pattern: list[str] | str | None = None

    tuner: ClassVar[TunerType]

    def __post_init__(self) -> None:
        """Refuse what no tuner has.

        Raises:
            InputError: Indices of layers beside a regular expression, or a pattern without them.
        """
        super().__post_init__()
        self.peft_type = self.tuner
        if isinstance(self.target_modules, str) and self.layers_to_transform is not None:
            raise InputError("layers_to_transform goes with a list of target_modules, not a text")
        if self.layers_pattern and self.layers_to_transform is None:
            raise InputError("layers_pattern says which list layers_to_transform counts: give both")

    def to_dict(self) -> dict[str, Any]:
        """All fields; sets as sorted lists, so that a folder's file is the same each time."""
        found = super().to_dict()
        return {k: sorted(v) if isinstance(v, set) else v for k, v in found.items()}

    @abstractmethod
    def build(self, in_features: int, out_features: int) -> Update:
        """The update of a linear layer.

        Args:
            in_features: Of the layer.
            out_features: Of the layer.

        Raises:
            InputError: Sizes that don't fit the layer.
        """
