"""The hybrid model: patches → vision block → ViT → projector → tokens → text block → decoder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from inspect import signature
from itertools import accumulate
from typing import Any

import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from transformers import Cache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
    DeepseekV3Experts,
    DeepseekV3Model,
    DeepseekV3TopkRouter,
)
from transformers.models.vit.modeling_vit import ViTModel, ViTPatchEmbeddings
from transformers.utils.generic import can_return_tuple

from qvlm_qiskit.blocks import (
    Block,
    ExpectationReadout,
    GatedResidual,
    blocks_in,
    build_at,
    gate_values,
)
from qvlm_qiskit.blocks.cores.part import CorePart
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.model.configuration import HybridVLMConfig
from qvlm_qiskit.quantum import QuantumLayer, quantum_layers, run_on
from qvlm_qiskit.quantum.gradients.sampled import SampledGradient
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.quantum.threads import check_threads
from qvlm_qiskit.sampled_gradients import SampledMethod


@dataclass
class HybridVLMOutput(CausalLMOutputWithPast):  # type: ignore[misc]
    """What a forward pass returns; its first five fields are transformers' own.

    Attributes:
        loss: Mean next-token cross entropy over the labels that are not -100.
        logits: ``(B, T, vocab_size)``, or the last ``logits_to_keep`` positions of it.
        cache: The decoder's cache; named ``past_key_values`` before transformers 5.24.
        hidden_states: The decoder's, ``(B, T, width)`` before each layer and behind the last, if
            ``output_hidden_states``.
        attentions: The decoder's, ``(B, heads, T, T)`` by layer, if ``output_attentions``.
        router_logits: The decoder's, by layer of experts, if ``output_router_logits``.
        image_features: Projected patch features ``(B, P, width)`` where images were given.
    """

    router_logits: tuple[Tensor, ...] | None = None
    image_features: Tensor | None = None


CACHE = next(f.name for f in fields(HybridVLMOutput) if f.name in ("cache", "past_key_values"))
"""What this version of transformers calls the cache, as an argument and in an output."""

_RECORDED = ("hidden_states", "attentions", "router_logits")


class QuantumPatchEmbeddings(ViTPatchEmbeddings):  # type: ignore[misc]
    """ViT's patch embeddings with a vision block behind them."""

    def __init__(self, config: Any, options: dict[str, Any]) -> None:
        """Create ViT's own projection and the block."""
        super().__init__(config)
        self.block_name = _add_block(self, "vision", config.hidden_size, options)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, P, width)``."""
        block = self.get_submodule(self.block_name)
        embedded: Tensor = block(super().forward(pixel_values))
        return embedded


class VisionTower(ViTModel):  # type: ignore[misc]
    """transformers' ViT with a vision block in its patch embedding."""

    def __init__(self, config: Any, options: dict[str, Any] | None) -> None:
        """Create the tower; without a block's options it is a plain ViT."""
        super().__init__(config, add_pooling_layer=False)
        if options is not None:
            self.embeddings.patch_embeddings = QuantumPatchEmbeddings(config, options)
            self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if not _init_block(module):
            super()._init_weights(module)


class HybridVLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """A small LLaVA-like model whose vision embedding and token mixing are quantum blocks.

    One ``state_dict`` runs everywhere: :meth:`run_on` moves every quantum layer to another
    estimator and changes nothing else. After the Hybrid-QVLM README; its mHC is not included.
    """

    config_class = HybridVLMConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    _no_split_modules = ("ViTLayer", "DeepseekV3DecoderLayer")
    _supports_sdpa = True
    _tied_weights_keys = {"lm_head.weight": "decoder.embed_tokens.weight"}  # noqa: RUF012
    _keep_in_fp32_modules_strict = ("e_score_correction_bias",)

    def __init__(self, config: HybridVLMConfig) -> None:
        """Create a model with random weights."""
        super().__init__(config)
        vision: Any = config.vision_config
        text: Any = config.text_config
        blocks = config.blocks or {}
        self.vision = VisionTower(vision, blocks.get("vision"))
        self.projector = nn.Sequential(
            nn.Linear(vision.hidden_size, text.hidden_size),
            nn.GELU(),
            nn.Linear(text.hidden_size, text.hidden_size),
        )
        self.decoder = DeepseekV3Model(text)
        if "text" in blocks:
            _add_block(self, "text", text.hidden_size, blocks["text"])
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.loss_type = "ForCausalLM"
        self.post_init()
        self.generation_config.update(
            bos_token_id=text.bos_token_id,
            eos_token_id=text.eos_token_id,
            pad_token_id=text.pad_token_id,
            # a generated image token would stand for an image that is not there
            suppress_tokens=[config.image_token_id],
        )

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a model; see ``PreTrainedModel.from_pretrained``, whose arguments it takes."""
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for block in model.blocks.values():
            block.freeze()  # loading makes every parameter trainable
        return loaded

    def save_pretrained(self, *args: Any, save_original_format: bool = False, **kwargs: Any) -> Any:
        """Write weights under the names of the model; see ``PreTrainedModel.save_pretrained``.

        transformers' default would rename the experts to DeepSeek's published layout. Its Trainer
        does not undo that when it resumes, and would go on with untrained experts.
        """
        return super().save_pretrained(*args, save_original_format=save_original_format, **kwargs)

    def get_input_embeddings(self) -> nn.Module:
        """The decoder's token embedding."""
        module: nn.Module = self.decoder.embed_tokens
        return module

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the decoder's token embedding."""
        self.decoder.embed_tokens = value

    @property
    def blocks(self) -> dict[str, Block]:
        """Every block by its module name."""
        return blocks_in(self)

    def block_at(self, place: str) -> Block | None:
        """The block of a place; None where the configuration has none.

        Args:
            place: Key of ``PLACES``.
        """
        return next((b for b in self.blocks.values() if b.place == place), None)

    @property
    def quantum_layers(self) -> dict[str, QuantumLayer]:
        """Every quantum layer by its module name."""
        return quantum_layers(self)

    def gate_values(self) -> dict[str, float]:
        """γ of every block by its name ("qcnn", "paqm", …), the mean where it is per channel."""
        return gate_values(self)

    def run_on(
        self,
        backend: EstimatorSource | BaseEstimatorV2,
        gradient: SampledGradient | SampledMethod | None = None,
    ) -> AbstractContextManager[None]:
        """Run all quantum layers on another estimator; as a context manager, until its end.

        Args:
            backend: What ``open_backend`` returns, or any Qiskit V2 estimator.
            gradient: Of values that are sampled there; see ``QuantumLayer.run_on``.
        """
        return run_on(self, backend, gradient)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let the Trainer know that a model of this class is given labels that are not shifted."""
        super().__init_subclass__(**kwargs)
        _shift_labels(cls)

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Pixels ``(B, C, H, W)`` → projected patch features ``(B, P, text width)``."""
        hidden = self.vision(pixel_values).last_hidden_state[:, 1:]  # without the class token
        features: Tensor = self.projector(hidden)
        return features

    @can_return_tuple  # type: ignore[untyped-decorator, unused-ignore]
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> HybridVLMOutput:
        """Next-token logits for images and text.

        Args:
            input_ids: ``(B, T)``; an image is ``num_image_tokens`` image tokens.
            pixel_values: ``(images, C, H, W)``, in the order of their tokens.
            attention_mask: ``(B, past + T)``, 0 at padding.
            position_ids: ``(B, T)``; by default counted over the attended tokens.
            past_key_values: The decoder's cache, by its name before transformers 5.24.
            labels: ``(B, T)``, -100 where no loss is wanted.
            use_cache: Return a cache.
            logits_to_keep: Only so many last positions, 0 keeps all; or the positions.
            cache: The decoder's cache.
            **kwargs: ``num_items_in_batch``, by which the loss is divided instead of the number of
                labels; ``output_hidden_states``, ``output_attentions`` (with eager attention) and
                ``output_router_logits``; ``return_dict``.

        Raises:
            InputError: No ``input_ids``, images that don't match their tokens, or something that
                the model doesn't take.
        """
        _check_arguments(kwargs)
        check_threads()
        if input_ids is None:
            raise InputError("HybridVLM needs input_ids: PAQM mixes token embeddings")
        if cache is not None and past_key_values is not None:
            raise InputError("cache and past_key_values are one argument by two names: give one")
        cache = past_key_values if cache is None else cache
        if position_ids is None:
            position_ids = _positions(input_ids, attention_mask, cache)
        embeddings, image_features = self._embed(input_ids, pixel_values, position_ids)
        items = kwargs.pop("num_items_in_batch", None)
        recorded = _recording(kwargs, self.config)
        outputs = self.decoder(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            **{CACHE: cache},
            **recorded,
        )
        if recorded["output_attentions"] and None in (outputs.get("attentions") or (None,)):
            raise InputError("attentions are known after model.set_attn_implementation('eager')")
        logits = self.lm_head(_kept(outputs.last_hidden_state, logits_to_keep))
        return HybridVLMOutput(
            loss=None if labels is None else self._loss(logits, labels, items),
            logits=logits,
            image_features=image_features,
            **{name: outputs.get(name) for name in (CACHE, *_RECORDED)},
        )

    def _embed(
        self, input_ids: Tensor, pixel_values: Tensor | None, position_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """What the decoder reads, ``(B, T, D)``, and the images' features."""
        embeddings = self.decoder.embed_tokens(input_ids)
        if (block := self.block_at("text")) is not None:
            embeddings = self._mix_text(block, embeddings, position_ids, input_ids)
        features = None
        if pixel_values is not None and len(pixel_values):
            features = self.get_image_features(pixel_values)
        return self._place_images(embeddings, features, input_ids), features

    def _loss(self, logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
        if logits.shape[1] != labels.shape[1]:
            raise InputError(
                f"a loss of {labels.shape[1]} labels needs the logits of all positions, not of "
                f"{logits.shape[1]}: leave logits_to_keep out"
            )
        vocab = self.config.text_config.vocab_size
        loss: Tensor = self.loss_function(logits, labels, vocab, num_items_in_batch=items)
        return loss

    def _mix_text(
        self, block: Block, embeddings: Tensor, position_ids: Tensor, input_ids: Tensor
    ) -> Tensor:
        """The block on text tokens; image tokens get no circuit, their features are the tower's."""
        text = input_ids != self.config.image_token_id
        positions = position_ids.expand_as(input_ids)
        mixed = block(embeddings[text][None], positions[text][None])[0]
        return embeddings.masked_scatter(text[..., None], mixed.to(embeddings.dtype))

    def _place_images(
        self, embeddings: Tensor, features: Tensor | None, input_ids: Tensor
    ) -> Tensor:
        mask = input_ids == self.config.image_token_id
        images = 0 if features is None else len(features)
        if int(mask.sum()) != images * self.config.num_image_tokens:
            raise InputError(
                f"{int(mask.sum())} image tokens for {images} images of "
                f"{self.config.num_image_tokens} patches each: use HybridVLMProcessor to make the "
                "inputs"
            )
        if features is None:
            return embeddings
        return embeddings.masked_scatter(mask[..., None], features.to(embeddings.dtype))

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

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise one module; the vision tower below initialises its own."""
        std = self.config.text_config.initializer_range
        if isinstance(module, DeepseekV3TopkRouter):
            init.normal_(module.weight, mean=0.0, std=std)
            init.zeros_(module.e_score_correction_bias)
        elif isinstance(module, DeepseekV3Experts):
            init.normal_(module.gate_up_proj, mean=0.0, std=std)
            init.normal_(module.down_proj, mean=0.0, std=std)
        elif not _init_block(module):
            super()._init_weights(module)


def _add_block(owner: nn.Module, place: str, width: int, options: dict[str, Any]) -> str:
    """Give a module the block of a place under the block's own name, which weights are stored by.

    Returns:
        The block's name in the owner.
    """
    block = build_at(place, width, options)
    name = str(options["name"]).replace("-", "_")
    if hasattr(owner, name):
        raise InputError(f"a {place} block can't be called {name!r}: the model has that part")
    owner.add_module(name, block)
    return name


def _init_block(module: nn.Module) -> bool:
    """Initialise a part of a quantum block; False if the module is none."""
    if isinstance(module, ExpectationReadout):
        init.normal_(module.weight, mean=0.0, std=module.initial_std)
        init.zeros_(module.bias)
    elif isinstance(module, QuantumLayer):
        init.uniform_(module.weight, -1.0, 1.0)
    elif isinstance(module, CorePart):
        module.reset_parameters(init)
    elif isinstance(module, GatedResidual):
        init.constant_(module.logit, module.initial_logit)
    else:
        return False
    return True


def _shift_labels(model: type[HybridVLM]) -> None:
    """Have the Trainer's label smoothing compare a position's logits with the next label.

    It does so for the names in this table alone, whatever the model's own loss does.
    """
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[f"hybrid_vlm {model.__qualname__}"] = model.__name__


_shift_labels(HybridVLM)


def _check_arguments(given: dict[str, Any]) -> None:
    """Refuse what would be ignored; transformers' models take any argument.

    Raises:
        InputError: An argument of another model, or one that is misspelt.
    """
    known = ("num_items_in_batch", *(f"output_{name}" for name in _RECORDED))
    for name in (n for n, value in given.items() if n not in known and value is not None):
        hint = "PAQM mixes token embeddings" if name == "inputs_embeds" else ""
        raise UnknownNameError("argument of HybridVLM", name, (*_ARGUMENTS, *known), hint)


_ARGUMENTS = tuple(
    n for n in signature(HybridVLM.forward).parameters if n not in ("self", "kwargs")
)


def _recording(given: dict[str, Any], config: HybridVLMConfig) -> dict[str, bool]:
    """What the decoder is to record: as asked for, else as the configuration says."""
    asked = {n: given.get(n) for n in (f"output_{name}" for name in _RECORDED)}
    return {n: getattr(config, n, False) if v is None else v for n, v in asked.items()}


def _kept(hidden: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    """Hidden states ``(B, T, width)`` at the positions whose logits are wanted."""
    if isinstance(logits_to_keep, Tensor):
        return hidden[:, logits_to_keep]
    return hidden[:, -logits_to_keep:]


def _repeated(counts: list[int], times: int) -> list[int]:
    """Indices of things in groups of these sizes, each group so many times."""
    ends = list(accumulate(counts))
    groups = [range(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return [index for group in groups for _ in range(times) for index in group]


def _positions(input_ids: Tensor, attention_mask: Tensor | None, past: Cache | None) -> Tensor:
    """``(B, T)`` or ``(1, T)``: attended tokens are counted, padding stays at 0."""
    length = input_ids.shape[1]
    if attention_mask is not None and attention_mask.ndim == 2:
        counted = attention_mask.long().cumsum(-1) - 1
        return counted.clamp_min(0)[:, -length:]
    seen = 0 if past is None else past.get_seq_length()
    return torch.arange(seen, seen + length, device=input_ids.device)[None]
