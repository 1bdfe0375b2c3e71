"""Every row of a text block that a generation may need, asked for before it begins.

The circuits of a text block depend on a token and its position alone. A prompt's tokens and
positions are known. A new token can be any of the vocabulary that is not suppressed, at the
positions that follow the prompts. So the rows are known before the first word is, and one job buys
them all, where a generation without it waits for a job per word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from qvlm_qiskit.data import Sample
from qvlm_qiskit.data.batch import PromptBatch
from qvlm_qiskit.errors import JobPending
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel
from qvlm_qiskit.recipes import MAX_NEW_TOKENS

TokenAt = tuple[int, int]
"""(token id, position)"""


def tokens_needed(
    model: HybridVLM, batch: PromptBatch, max_new_tokens: int = MAX_NEW_TOKENS
) -> list[TokenAt]:
    """Every (token, position) that a text block can meet while answers to a batch are generated.

    Those of the prompts, padding included, and every token that can be generated at every
    position that is read again; the last new token is not.

    Args:
        model: Says what its vocabulary is and what is suppressed.
        batch: The prompts.
        max_new_tokens: Longest answer.
    """
    image = model.config.image_token_id
    positions = (batch.attention_mask.long().cumsum(-1) - 1).clamp_min(0)
    text = batch.input_ids != image
    prompts = zip(batch.input_ids[text].tolist(), positions[text].tolist(), strict=True)
    lengths = set(batch.attention_mask.sum(-1).tolist())
    places = {length + step for length in lengths for step in range(max_new_tokens - 1)}
    words = set(range(model.config.text_config.vocab_size)) - {image}
    words -= set(model.generation_config.suppress_tokens or ())
    return sorted({*prompts, *((word, place) for word in words for place in places)})


def prefetch(answering: VisionLanguageModel, samples: Sequence[Sample]) -> None:
    """Ask for all rows of an evaluation at once, through the model's own layers.

    The rows stay with the layers' estimators: meant for `same_rows.asked_once`, or a ledger.

    Args:
        answering: On the estimators that shall know the rows.
        samples: The questions.

    Raises:
        JobPending: Jobs are not answered; both blocks' jobs have been sent then.
    """
    batch = answering.prompts(samples)
    waiting: list[JobPending] = []
    with torch.inference_mode():
        for ask in (_words(answering, batch), _patches(answering.model, batch)):
            try:
                ask()
            except JobPending as pending:
                waiting.append(pending)
    if waiting:
        raise JobPending(str(waiting[0]), [s for each in waiting for s in each.submissions])


def _words(answering: VisionLanguageModel, batch: PromptBatch) -> Callable[[], None]:
    model = answering.model

    def ask() -> None:
        block = model.block_at("text")
        if block is None:
            return
        needed = torch.tensor(tokens_needed(model, batch, answering.max_new_tokens))  # (N, 2)
        embeddings = model.decoder.embed_tokens(needed[None, :, 0])  # (1, N, D)
        block(embeddings, needed[None, :, 1])

    return ask


def _patches(model: HybridVLM, batch: PromptBatch) -> Callable[[], None]:
    def ask() -> None:
        model.get_image_features(batch.pixel_values)

    return ask
