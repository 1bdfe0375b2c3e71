"""The language model that is compressed: a pretrained one, or a small one trained on bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from qvlm_qiskit.adapter.inspection import linear_layers
from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.studies.compression.options import TINY, CompressionOptions
from qvlm_qiskit.studies.compression.texts import Encode, texts, windows

STEPS = 400
BATCH = 16
LEARNING_RATE = 3e-3
SIZE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4}  # fmt: skip
BYTES = 256


def open_language(options: CompressionOptions, folder: Path) -> tuple[nn.Module, Encode]:
    """The model in single precision, and what makes tokens of text.

    Args:
        options: Its ``language``; "tiny" has been trained by `train_tiny`.
        folder: Of the study.

    Raises:
        QVLMError: It can't be opened.
    """
    if options.language == TINY:
        with no_transformers_bars():
            model: Any = AutoModelForCausalLM.from_pretrained(folder / TINY)
        return model.eval(), _as_bytes
    from qvlm_qiskit.adapter.decoders import open_decoder, open_tokenizer

    with no_transformers_bars():
        tokenizer = open_tokenizer(str(options.language))
        model = open_decoder(str(options.language))
    for tensor in [*model.parameters(), *model.buffers()]:
        # a model that was read from quantised weights refuses .float(), though it has none now
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
    return model, lambda text: list(tokenizer(text, verbose=False)["input_ids"])


def check_language(options: CompressionOptions) -> None:
    """Refuse texts without a window of tokens, and layers that the model does not have.

    Args:
        options: Of the study; "tiny" need not have been trained.

    Raises:
        QVLMError: So, or a model that can't be opened.
    """
    tiny = options.language == TINY
    model, encode = (_untrained(), _as_bytes) if tiny else open_language(options, Path())
    for text in texts(options.text):
        windows(text, encode, options.length or 0)
    linear_layers(model, options.targets)


def train_tiny(options: CompressionOptions, folder: Path) -> None:
    """Train a Llama of two layers on the bytes of the text, and leave it in the study's folder."""
    model = _untrained()
    rows = windows(texts(options.text)[0], _as_bytes, options.length or 0)
    train(model, rows, [STEPS], batch=BATCH, rate=LEARNING_RATE, seed=0)
    with no_transformers_bars():
        model.save_pretrained(folder / TINY)


def train(
    model: nn.Module, rows: Tensor, stops: list[int], *, batch: int, rate: float, seed: int,
    at: Any = None,
) -> list[Any]:  # fmt: skip
    """AdamW on what asks for gradients.

    Args:
        model: A causal language model.
        rows: ``(windows, length)`` of tokens.
        stops: Numbers of steps, ascending, at which `at` is asked.
        batch: Windows per step, drawn with replacement.
        rate: Learning rate.
        seed: Of the draw.
        at: Called without arguments; None for nothing.

    Returns:
        What `at` answered.
    """
    trained = [one for one in model.parameters() if one.requires_grad]
    adam = torch.optim.AdamW(trained, lr=rate)
    generator = torch.Generator().manual_seed(seed)
    answers = []
    for step in range(stops[-1] + 1):
        if step in stops and at is not None:
            answers.append(at())
        if step == stops[-1]:
            break
        chosen = rows[torch.randint(len(rows), (batch,), generator=generator)]
        adam.zero_grad()
        torch.autograd.backward(loss_of(model, chosen))
        adam.step()
    return answers


def loss_of(model: nn.Module, rows: Tensor) -> Tensor:
    """Mean cross entropy of the next token, in nats."""
    logits = model(input_ids=rows).logits[:, :-1].float()
    return nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def _untrained() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(vocab_size=BYTES, **SIZE))


def _as_bytes(text: str) -> list[int]:
    return list(text.encode("utf-8"))
