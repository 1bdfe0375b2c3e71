"""What is trained: an untrained model and its processor, from options."""

from __future__ import annotations

from typing import Any

from transformers import set_seed

from qvlm_qiskit.basics.memory import memory_bytes
from qvlm_qiskit.data.registry import find_data
from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor, build_processor
from qvlm_qiskit.recipes import TrainingOptions


def configuration(options: TrainingOptions, vocab_size: int = 64) -> HybridVLMConfig:
    """The configuration of the model that options ask for.

    Args:
        options: What to train.
        vocab_size: Of the tokenizer.
    """
    return HybridVLMConfig.recipe(options.recipe, vocab_size, options.blocks, options.chosen_blocks)


def build_model(options: TrainingOptions) -> tuple[HybridVLM, HybridVLMProcessor]:
    """An untrained model and its processor, the same for the same seed."""
    processor = build_processor(configuration(options), find_data(options.data).vocabulary())
    config = configuration(options, len(processor.tokenizer))
    set_seed(options.seed)
    return HybridVLM(config), processor


def check_memory(options: TrainingOptions) -> None:
    """Refuse a training set that does not fit: all of it is encoded before the first step.

    Raises:
        CapacityError: Its pixels alone, kept and stacked, take more than this machine has.
    """
    vision: Any = configuration(options).vision_config
    pixels = vision.num_channels * vision.image_size**2
    needed, there = 2 * 4 * pixels * options.train_samples, memory_bytes()
    if needed > there:
        raise CapacityError(
            f"{options.train_samples:,} training samples of {pixels:,} numbers take "
            f"{needed / 2**30:.1f} GiB, and this machine's memory is {there / 2**30:.1f} GiB"
        )
