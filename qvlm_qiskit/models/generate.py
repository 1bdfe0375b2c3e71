"""Images and questions → answers, by greedy generation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from qvlm_qiskit.data.batch import encode_prompts
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor

MAX_NEW_TOKENS = 16


def answer(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    images: Sequence[Image.Image],
    questions: Sequence[str],
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[str]:
    """Answer one question about each image, on whatever estimator the model runs on.

    Args:
        model: In evaluation mode.
        processor: The one it was trained with.
        images: Any size and mode.
        questions: One per image, without the image token.
        max_new_tokens: Longest answer in tokens.

    Returns:
        One answer per question, without special tokens.
    """
    batch = encode_prompts(processor, images, questions)
    with torch.inference_mode():
        tokens = model.generate(**batch.inputs(), max_new_tokens=max_new_tokens, do_sample=False)
    new = tokens[:, batch.input_ids.shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]
