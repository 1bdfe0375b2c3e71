"""Images and text → model inputs, and generated tokens → text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast, ProcessorMixin
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from qvlm_qiskit.basics.hub import check_on_hub
from qvlm_qiskit.basics.images import open_image
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model.configuration import HybridVLMConfig

SPECIAL_TOKENS = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "image": "<image>", "unk": "<unk>"}
"""Their ids are their positions: 0 … 4."""
_HUB_NAME = r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?"


class HybridVLMProcessor(ProcessorMixin):  # type: ignore[misc]
    """An image processor and a tokenizer that agree on how many tokens an image is."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        num_image_tokens: int = 16,
        chat_template: str | None = None,
        image_token: str = SPECIAL_TOKENS["image"],
    ) -> None:
        """Combine the two.

        Args:
            image_processor: A PIL or torchvision image processor with a fixed output size.
            tokenizer: Any transformers tokenizer that knows the image token.
            num_image_tokens: Patches of one image, ``HybridVLMConfig.num_image_tokens``.
            chat_template: Unused by the templated data sets; kept for transformers' interface.
            image_token: Stands for an image in a prompt.
        """
        self.num_image_tokens = num_image_tokens
        self.image_token = image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def __call__(self, images: Any = None, text: Any = None, **kwargs: Any) -> Any:
        """Model inputs; see ``ProcessorMixin.__call__``, whose arguments it takes.

        Args:
            images: An image, a list, or a list for every text. An image is what
                `qvlm_qiskit.basics.images.open_image` opens, by its rules; an array of four
                dimensions is so many images.
            text: One or several texts with an image token for each of their images.
            **kwargs: Of the tokenizer and the image processor.

        Raises:
            InputError: One of the images can't be read.
        """
        opened = None if images is None else _opened(images)
        return super().__call__(images=opened, text=text, **kwargs)

    def pixels(self, images: Any) -> Tensor:
        """``pixel_values`` ``(B, C, H, W)`` of a list of images; see `__call__`."""
        found: Tensor = self.image_processor(_opened(images), return_tensors="pt")["pixel_values"]
        return found

    def expanded(self, text: str) -> str:
        """A text with as many image tokens for each one as the model has patches."""
        return text.replace(self.image_token, self.image_token * self.num_image_tokens)

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **_: Any) -> str:
        """The text that one image token is expanded to before tokenising."""
        return self.image_token * self.num_image_tokens


def _opened(images: Any) -> Any:
    """Every image of a nested list, opened."""
    if isinstance(images, list | tuple) or getattr(images, "ndim", 0) == 4:
        return [_opened(image) for image in images]
    return open_image(images)


def build_processor(
    config: HybridVLMConfig, texts: Iterable[str], tokenizer: str | None = None
) -> HybridVLMProcessor:
    """A processor for a model that is trained from scratch.

    Args:
        config: Decides the image size and the number of image tokens.
        texts: All text that the model may read or write: each word is a token, unknown words become
            ``<unk>``. Not read with another tokenizer.
        tokenizer: Folder or Hub name of a pretrained one, see `pretrained_tokenizer`.

    Raises:
        InputError: The tokenizer can't be loaded.
    """
    vision: Any = config.vision_config
    image_processor = ViTImageProcessorPil(
        size={"height": vision.image_size, "width": vision.image_size},
        do_convert_rgb=True,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return HybridVLMProcessor(
        image_processor=image_processor,
        tokenizer=word_tokenizer(texts) if tokenizer is None else pretrained_tokenizer(tokenizer),
        num_image_tokens=config.num_image_tokens,
    )


def word_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A lower-casing tokenizer with one token per word or punctuation mark of the texts."""
    special = list(SPECIAL_TOKENS.values())
    normalizer, splitter = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    words = {
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    }
    vocabulary = {token: i for i, token in enumerate(special + sorted(words - set(special)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL_TOKENS["unk"]))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS["pad"],
        bos_token=SPECIAL_TOKENS["bos"],
        eos_token=SPECIAL_TOKENS["eos"],
        unk_token=SPECIAL_TOKENS["unk"],
        additional_special_tokens=[SPECIAL_TOKENS["image"]],
        padding_side="left",
    )


def pretrained_tokenizer(name: str) -> Any:
    """A pretrained tokenizer, with the special tokens of ours that it lacks.

    Args:
        name: A folder, or a name of the Hub.

    Raises:
        InputError: There is none, or it can't be loaded.
    """
    there = Path(name).is_dir()
    if not re.fullmatch(_HUB_NAME, name) and not there:
        raise InputError(f"no folder of a tokenizer at {name!r}, and no name of the Hub")
    try:
        if not there:
            check_on_hub(name)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:
        said = " ".join(str(error).split()) or repr(error)
        raise InputError(f"no tokenizer can be loaded from {name!r}: {said[:160]}") from error
    lacking = {
        f"{role}_token": SPECIAL_TOKENS[role]
        for role in ("pad", "bos", "eos")
        if getattr(tokenizer, f"{role}_token") is None
    }
    image = {"extra_special_tokens": [SPECIAL_TOKENS["image"]]}
    tokenizer.add_special_tokens({**lacking, **image}, replace_extra_special_tokens=False)
    tokenizer.padding_side = "left"
    return tokenizer
