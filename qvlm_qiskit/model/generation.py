"""Generating answers to images: read once, and repeated with their rows."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from torch import Tensor
from transformers import GenerationMixin


class ImageGenerationMixin(GenerationMixin):  # type: ignore[misc]
    """transformers' generation for rows with images.

    transformers looks for the end of this name among a model's bases.
    """

    config: Any

    def prepare_inputs_for_generation(
        self, *args: Any, pixel_values: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Images are needed in the first step only; later their keys and values are cached."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(*args, **kwargs)
        if kwargs.get("is_first_iteration", False) or not kwargs.get("use_cache", True):
            inputs["pixel_values"] = pixel_values
        return inputs

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, dict[str, Any]]:
        """Repeat rows for beams and several answers, each with all of its images in their order."""
        if pixel_values is not None and input_ids is not None and expand_size > 1:
            tokens = (input_ids == self.config.image_token_id).sum(1)
            counts = (tokens // self.config.num_image_tokens).tolist()
            if sum(counts) == len(pixel_values):  # else forward refuses them
                pixel_values = pixel_values[_repeated(counts, expand_size)]
        expanded: tuple[Tensor, dict[str, Any]] = super()._expand_inputs_for_generation(
            expand_size=expand_size,
            is_encoder_decoder=is_encoder_decoder,
            input_ids=input_ids,
            **kwargs,
        )
        rows, others = expanded
        return rows, others if pixel_values is None else {**others, "pixel_values": pixel_values}


def _repeated(counts: list[int], times: int) -> list[int]:
    """Indices of things in groups of these sizes, each group so many times."""
    ends = list(accumulate(counts))
    groups = [range(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return [index for group in groups for _ in range(times) for index in group]
