"""What is refused before a training writes anything: unknown words, a disk that is too small."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import nn

from qvlm_qiskit.data.batch import EncodedSamples
from qvlm_qiskit.data.sample import Samples
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLMProcessor
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.training.checkpoints import checkpoints

SMALL_FILES = 2**20
"""Bytes that a checkpoint takes beside weights and moments, and a run beside its weights."""


def check_words(rows: EncodedSamples, samples: Samples, processor: HybridVLMProcessor) -> None:
    """Refuse answers whose words the vocabulary lacks: a model would learn to say "unknown".

    Raises:
        InputError: One has such a word.
    """
    tokenizer = processor.tokenizer
    unknown = tokenizer.unk_token_id
    if unknown is None:  # the tokenizer's model may have one that has no role
        own = getattr(tokenizer.backend_tokenizer.model, "unk_token", None)
        unknown = None if own is None else tokenizer.get_vocab().get(own)
    others = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id)
    if unknown is None or unknown in others:  # of bytes: it knows all words
        return
    if (number := rows.first_taught(unknown)) is None:
        return
    sample = samples[number]
    encoded = {
        w: tokenizer(w, add_special_tokens=False)["input_ids"] for w in sample.answer.split()
    }
    lacking = [repr(word) for word, ids in encoded.items() if unknown in ids]
    where = f" ({sample.sources[0]})" if sample.sources else ""
    raise InputError(
        f"the vocabulary lacks {', '.join(lacking) or 'words'} of the answer "
        f"{sample.answer[:60]!r}{where}: choose another --tokenizer"
    )


def check_precision(options: TrainingOptions) -> None:
    """Refuse what only a GPU computes in.

    Raises:
        InputError: fp16, and there is none.
    """
    if options.precision == "fp16" and not torch.cuda.is_available():
        raise InputError("fp16 needs a GPU, whose gradients it scales: take bf16")


def check_disk(model: nn.Module, options: TrainingOptions, checkpoints_in: Path) -> None:
    """Refuse a training whose checkpoints the disk has no room for.

    While one is written the last one is kept, and beside it the best one where that is asked for.

    Args:
        model: Its trained weights have two moments each.
        options: Of the training.
        checkpoints_in: Where those of an interrupted training may lie already.

    Raises:
        InputError: There is less.
    """
    weights = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    trained = (p for p in model.parameters() if p.requires_grad)
    moments = 2 * sum(p.numel() * p.element_size() for p in trained)
    one = weights + moments + SMALL_FILES
    together = (3 if options.evaluate_every is not None else 2) * one
    there = sum(
        file.stat().st_size
        for _, folder in checkpoints(checkpoints_in)
        for file in folder.rglob("*")
    )
    place = next(p for p in checkpoints_in.absolute().parents if p.exists())
    free, needed = shutil.disk_usage(place).free, max(together - there, one) + weights
    if free < needed:
        raise InputError(
            f"checkpoints of {one / 1e6:,.1f} MB and the run take {needed / 1e6:,.1f} MB, and "
            f"{place} has {free / 1e6:,.1f} MB left: make room or choose another --out"
        )
