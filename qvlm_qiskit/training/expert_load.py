"""How the decoder's experts share the tokens that a model is trained on."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Experts


class ExpertLoad:
    """Counts, while a model trains, how many tokens each expert was chosen for.

    Padding counts: experts compute it too. Several processes add up what they have counted.

    Args:
        model: Its layers of experts are listened to.
    """

    def __init__(self, model: nn.Module) -> None:
        self._counts: dict[str, Tensor] = {}
        self._device = next((p.device for p in model.parameters()), torch.device("cpu"))
        for name, module in model.named_modules():
            if isinstance(module, DeepseekV3Experts):
                layer = next((part for part in name.split(".") if part.isdigit()), name)
                self._counts[layer] = torch.zeros(module.num_experts)
                module.register_forward_pre_hook(self._listener(layer))

    def _listener(self, layer: str) -> Any:
        def count(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            if module.training:
                known = self._counts[layer]
                self._counts[layer] = known + torch.bincount(
                    arguments[1].flatten().cpu(), minlength=len(known)
                )

        return count

    def shares(self) -> dict[str, float]:
        """Each expert's share of its layer's choices since the last call, by name.

        All of several processes call it together.
        """
        found = {
            f"load_layer{layer}_expert{expert}": float(share)
            for layer, counts in self._everywhere().items()
            if counts.any()
            for expert, share in enumerate(counts / counts.sum())
        }
        for counts in self._counts.values():
            counts.zero_()
        return found

    def _everywhere(self) -> dict[str, Tensor]:
        """The counts of all processes that train together."""
        if not (dist.is_available() and dist.is_initialized()):
            return self._counts
        found = {}
        for layer, counts in self._counts.items():
            moved = counts.to(self._device)  # a process group of GPUs takes no others
            dist.all_reduce(moved)
            found[layer] = moved.cpu()
        return found
