"""The hybrid model: patches → vision block → ViT → projector → tokens → text block → decoder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from inspect import signature
from typing import Any

import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Cache, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils.generic import can_return_tuple

from qvlm_qiskit.blocks import Block, blocks_in, gate_values
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.model.configuration import HybridVLMConfig
from qvlm_qiskit.model.decoder import Decoder
from qvlm_qiskit.model.generation import ImageGenerationMixin
from qvlm_qiskit.model.outputs import CACHE, RECORDED, HybridVLMOutput, recorded, recording
from qvlm_qiskit.model.placing import add_block, init_block
from qvlm_qiskit.model.text_mixing import KnownRows, exact_state, mix_tokens
from qvlm_qiskit.model.vision import VisionTower
from qvlm_qiskit.quantum import QuantumLayer, quantum_layers, run_on
from qvlm_qiskit.quantum.gradients.sampled import SampledGradient
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle
from qvlm_qiskit.quantum.torch_support.threads import check_threads
from qvlm_qiskit.sampled_gradients import SampledMethod


class HybridVLM(PreTrainedModel, ImageGenerationMixin):  # type: ignore[misc]
    """A LLaVA-like model whose vision embedding and token mixing are quantum blocks.

    One ``state_dict`` runs everywhere: :meth:`run_on` moves every quantum layer to another
    estimator and changes nothing else. After the Hybrid-QVLM README: quantum vision embedding,
    positional mixing and gates, and a decoder of MLA, sparse experts and mHC.
    """

    config_class = HybridVLMConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    _no_split_modules = ("ViTLayer", "DecoderLayer")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _tied_weights_keys = {"lm_head.weight": "decoder.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: HybridVLMConfig) -> None:
        """Create a model with random weights."""
        super().__init__(config)
        vision: Any = config.vision_config
        text: Any = config.text_config
        blocks = config.blocks or {}
        self.vision = VisionTower(vision, blocks.get("vision"), config.vision_attention)
        config.check_patches()
        self.projector = nn.Sequential(
            nn.Linear(vision.hidden_size, text.hidden_size),
            nn.GELU(),
            nn.Linear(text.hidden_size, text.hidden_size),
        )
        self.decoder = Decoder(text)
        if "text" in blocks:
            add_block(self, "text", text.hidden_size, blocks["text"])
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.loss_type = "ForCausalLM"
        self._known_rows = KnownRows()
        # in half precision, what is loaded there stays in single
        self._keep_in_fp32_modules_strict = {
            f"{name}.{parameter}"
            for name, module in self.named_modules()
            if isinstance(module, AtLeastSingle | QuantumLayer)
            for parameter, _ in module.named_parameters()
        }
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

    def set_input_embeddings(self, value: nn.Embedding) -> None:
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
        cache = _one_of(cache, past_key_values)
        if position_ids is None:
            position_ids = _positions(input_ids, attention_mask, cache)
        embeddings, image_features = self._embed(input_ids, pixel_values, position_ids)
        items = kwargs.pop("num_items_in_batch", None)
        switches = recording(kwargs, self.config)
        routers = switches["output_router_logits"]
        balanced = self.training and labels is not None and self.decoder.balances
        switches["output_router_logits"] = routers or balanced
        outputs = self.decoder(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            **{CACHE: cache},
            **switches,
        )
        found = recorded(outputs, switches, routers)
        logits = self.lm_head(_kept(outputs.last_hidden_state, logits_to_keep))
        loss = None if labels is None else self._loss(logits, labels, items)
        if loss is not None and balanced:
            loss = loss + self.decoder.balance_loss(outputs.router_logits, attention_mask)
        return HybridVLMOutput(loss=loss, logits=logits, image_features=image_features, **found)

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
        state = exact_state(block)
        if state is not None:
            self._known_rows.keep_for(state)
        mixed = mix_tokens(
            block,
            embeddings[text],
            input_ids[text],
            positions[text],
            None if state is None else self._known_rows,
        )
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

    def _set_gradient_checkpointing(
        self, enable: bool = True, gradient_checkpointing_func: Any = checkpoint, **kwargs: Any
    ) -> None:
        """Recompute activations in the backward pass; any way of transformers comes by here.

        Raises:
            InputError: Re-entrant, which loses the load-balance loss's gradient without a word.
        """
        if getattr(gradient_checkpointing_func, "keywords", {}).get("use_reentrant"):
            raise InputError(
                "activations can't be recomputed with use_reentrant=True: the experts' "
                "load-balance loss would get no gradient"
            )
        super()._set_gradient_checkpointing(enable, gradient_checkpointing_func, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise one module; tower and decoder below initialise their own."""
        if not init_block(module):
            super()._init_weights(module)


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
    known = ("num_items_in_batch", *(f"output_{name}" for name in RECORDED))
    for name in (n for n, value in given.items() if n not in known and value is not None):
        hint = "PAQM mixes token embeddings" if name == "inputs_embeds" else ""
        raise UnknownNameError("argument of HybridVLM", name, (*_ARGUMENTS, *known), hint)


_ARGUMENTS = tuple(
    n for n in signature(HybridVLM.forward).parameters if n not in ("self", "kwargs")
)


def _one_of(cache: Cache | None, past_key_values: Cache | None) -> Cache | None:
    """The cache, by whichever of its names it was given.

    Raises:
        InputError: By both.
    """
    if cache is not None and past_key_values is not None:
        raise InputError("cache and past_key_values are one argument by two names: give one")
    return past_key_values if cache is None else cache


def _kept(hidden: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    """Hidden states ``(B, T, width)`` at the positions whose logits are wanted."""
    if isinstance(logits_to_keep, Tensor):
        return hidden[:, logits_to_keep]
    return hidden[:, -logits_to_keep:]


def _positions(input_ids: Tensor, attention_mask: Tensor | None, past: Cache | None) -> Tensor:
    """``(B, T)`` or ``(1, T)``: attended tokens are counted, padding stays at 0."""
    length = input_ids.shape[1]
    if attention_mask is not None and attention_mask.ndim == 2:
        counted = attention_mask.long().cumsum(-1) - 1
        return counted.clamp_min(0)[:, -length:]
    seen = 0 if past is None else past.get_seq_length()
    return torch.arange(seen, seen + length, device=input_ids.device)[None]
