"""A linear layer with updates, as peft's models hold it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, check_adapters_to_merge
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.errors import InputError


def is_linear(module: nn.Module) -> bool:
    """Whether a tuner can be put around a module: Linear, its subclasses and GPT-2's Conv1D."""
    return isinstance(module, nn.Linear | Conv1D)


class TunerLinear(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A linear layer and, for each adapter, its update.

    Subclasses name the one container of updates in ``adapter_layer_names``.

    Attributes:
        base_layer: What was there before.
        in_features: Its inputs.
        out_features: Its outputs.
    """

    # peft's, which has no types
    adapter_layer_names: tuple[str, ...]
    active_adapters: list[str]
    disable_adapters: bool
    merged: bool
    get_base_layer: Callable[[], Any]
    set_adapter: Callable[..., None]
    _move_adapter_to_device_of_base_layer: Callable[[str], None]

    def __init__(self, base_layer: nn.Module, adapter: str, config: TunerConfig) -> None:
        """Put the first adapter's update beside a layer.

        Args:
            base_layer: See `is_linear`.
            adapter: Name.
            config: Of the update.
        """
        super().__init__()
        self.base_layer = base_layer
        self.merged_adapters: list[str] = []
        self._disable_adapters = False
        self._active_adapter = adapter
        self._before_merging: Tensor | None = None
        setattr(self, self.adapter_layer_names[0], nn.ModuleDict())
        base = self.get_base_layer()
        if isinstance(base, Conv1D):
            self.in_features, self.out_features = map(int, base.weight.shape)
        else:
            self.in_features, self.out_features = base.in_features, base.out_features
        self.update_layer(adapter, config)

    @property
    def updates(self) -> nn.ModuleDict:
        """Adapter's name → its :class:`.Update`."""
        return cast(nn.ModuleDict, getattr(self, self.adapter_layer_names[0]))

    def update_of(self, adapter: str) -> Update:
        """The update of one adapter."""
        return cast(Update, self.updates[adapter])

    def update_layer(self, adapter: str, config: TunerConfig) -> None:
        """Add an adapter."""
        self.updates[adapter] = config.build(self.in_features, self.out_features)
        self._move_adapter_to_device_of_base_layer(adapter)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def _freeze_non_trainable_peft_weights(self, adapter_names: Any = None) -> None:
        """Peft calls this wherever it has set ``requires_grad`` of all that an adapter holds."""
        for name in self.updates:
            self.update_of(name).freeze()

    def _active(self) -> list[Update]:
        return [self.update_of(name) for name in self.active_adapters if name in self.updates]

    def forward(self, values: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """``(…, in)`` → ``(…, out)``, of the dtype that the base layer returns."""
        if self.disable_adapters and self.merged:
            self.unmerge()
        active = [] if self.disable_adapters or self.merged else self._active()
        wide = [values.to(_dtype(update)) for update in active]
        shifted = values
        for update, given in zip(active, wide, strict=True):
            moved = update.shift(given)
            shifted = shifted if moved is None else shifted + moved.to(values.dtype)
        result: Tensor = self.base_layer(shifted, *args, **kwargs)
        for update, given in zip(active, wide, strict=True):
            result = result + update(given).to(result.dtype)
        return result

    def get_delta_weight(self, adapter: str) -> Tensor:
        """ΔW of one adapter beside the base layer's weight, in that one's layout.

        Args:
            adapter: Its name.

        Returns:
            ``(out, in)``, of a Conv1D ``(in, out)``.

        Raises:
            InputError: The update is not linear, or the base layer's weight is quantised.
        """
        base = self.get_base_layer()
        before = self._before_merging
        weight = base.weight.detach() if before is None else before.to(base.weight.device)
        if not weight.is_floating_point():
            raise InputError(f"the weight of a {type(base).__name__} is quantised: it has no ΔW")
        update, turned = self.update_of(adapter), isinstance(base, Conv1D)
        wide = weight.to(torch.promote_types(weight.dtype, _dtype(update)))
        delta: Tensor = update.delta(wide.T if turned else wide)
        return delta.T if turned else delta

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add updates to the base layer's weight, of which a copy is kept until they are unmerged.

        Args:
            safe_merge: Refuse a sum that is not finite.
            adapter_names: By default the active ones.

        Raises:
            InputError: An update is not linear, or the sum is not finite.
        """
        names = check_adapters_to_merge(self, adapter_names)
        names = [name for name in names if name in self.updates]
        deltas = [self.get_delta_weight(name) for name in names]
        if not deltas:
            return
        weight = self.get_base_layer().weight
        total = (weight.data.to(deltas[0].dtype) + sum(deltas)).to(weight.dtype)
        if safe_merge and not torch.isfinite(total).all():
            raise InputError(f"merging {', '.join(names)} gives weights that are not finite")
        if self._before_merging is None:
            self._before_merging = weight.data
        weight.data = total
        self.merged_adapters.extend(names)

    def unmerge(self) -> None:
        """Give the base layer its weight back."""
        if self._before_merging is None:
            warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
            return
        weight = self.get_base_layer().weight
        weight.data = self._before_merging.to(weight.device, weight.dtype)
        self._before_merging = None
        self.merged_adapters.clear()

    def supports_lora_conversion(self, adapter_name: str = "default") -> bool:
        """Whether there is a ΔW, of which peft can make a LoRA."""
        if adapter_name not in self.updates or not self.update_of(adapter_name).linear:
            return False
        return isinstance(self.get_base_layer(), nn.Linear)


def _dtype(update: nn.Module) -> torch.dtype:
    """Of the update's floating-point numbers."""
    return next(p.dtype for p in update.parameters() if p.is_floating_point())
