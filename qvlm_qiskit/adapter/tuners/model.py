"""A model with one of our tuners, as peft makes it."""

from __future__ import annotations

from typing import Any

from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn

from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.layer import TunerLinear, is_linear
from qvlm_qiskit.errors import InputError, UnknownNameError


class TunerModel(BaseTuner):  # type: ignore[misc]
    """Finds the layers of a model that are meant and puts a :class:`.TunerLinear` around each."""

    tuner_layer_cls: type[TunerLinear]
    target_module_mapping = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

    def _prepare_model(self, peft_config: TunerConfig, model: nn.Module) -> None:
        """Refuse targets that the model lacks, before anything is changed."""
        check_targets(peft_config.target_modules, model)

    def _create_and_replace(
        self,
        peft_config: TunerConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **others: Any,
    ) -> None:
        """Tune one layer, or add an adapter to one that is tuned."""
        if isinstance(target, TunerLinear):
            target.update_layer(adapter_name, peft_config)
            return
        if not is_linear(target):
            raise InputError(
                f"{current_key} is a {type(target).__name__}: a tuner stands around linear layers "
                f"({', '.join(linear_names(self.model))})"
            )
        layer = self.tuner_layer_cls(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _check_merge_allowed(self) -> None:
        """Refuse to merge what is not linear before any layer is changed."""
        super()._check_merge_allowed()
        layers = [m for m in self.model.modules() if isinstance(m, TunerLinear)]
        if any(not m.update_of(name).linear for m in layers for name in m.updates):
            raise InputError(
                f"a {self.prefix.rstrip('_')} adapter can't be merged: its update is not linear"
            )

    @classmethod
    def _remove_adapter_name_from_key(cls, key: str, adapter_name: str) -> str:
        """A parameter's name in files, where adapters have no names."""
        container = f".{cls.tuner_layer_cls.adapter_layer_names[0]}."
        if container in key:
            return key.replace(f"{container}{adapter_name}.", container, 1)
        kept: str = super()._remove_adapter_name_from_key(key, adapter_name)
        return kept


def linear_names(model: nn.Module) -> list[str]:
    """Last parts of the names of a model's linear layers, those inside adapters left out."""
    tuned = [f"{n}." for n, m in model.named_modules() if isinstance(m, BaseTunerLayer)]
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if (is_linear(module) or isinstance(module, BaseTunerLayer))
        and not any(name.startswith(above) for above in tuned)
    }
    return sorted(names)


def check_targets(targets: Any, model: nn.Module) -> None:
    """Refuse targets of which one is in no module's name.

    Args:
        targets: As in a configuration; a text is left to peft.
        model: To be tuned.

    Raises:
        UnknownNameError: It names the linear layers that there are.
    """
    if isinstance(targets, str) or targets is None:
        return
    names = [name for name, _ in model.named_modules()]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise UnknownNameError("target module", str(target), linear_names(model))
