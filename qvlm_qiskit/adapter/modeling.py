"""The adapter: a projection of pictures' features in front of a frozen language model with LoRA."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.decoders import (
    adapter_weights,
    embedding_deviation,
    embedding_width,
    open_decoder,
    with_adapter,
)
from qvlm_qiskit.adapter.projection import LinearProjection
from qvlm_qiskit.adapter.variants import Projection, build_projection
from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import QuantumLayer, quantum_layers

CONFIG, PROJECTION, ADAPTER = "config.json", "model.safetensors", "adapter_model.safetensors"
FORMAT, VERSION = "qvlm-adapter", 1
SOURCE_FILES = {"projector": "proj_final.pt", "gate": "gate_final.pt"}
"""Files of the source's classical model by the map that each holds."""


class QuantumVisionLanguageModel(nn.Module):
    """Features of pictures and tokens → the next token; the projection and LoRA alone train.

    Attributes:
        decoder: The language model inside peft's.
        projection: From features to vision tokens.
        rate_factors: Parts of the module by the beginning of their names → factor on a training's
            learning rate. A circuit and its read-out begin at random and learn ten times as fast
            as LoRA; the wide map before it, of which Adam moves every entry by as much, does not.
    """

    rate_factors: ClassVar[Mapping[str, float]] = {
        "projection": 10.0,
        "projection.reduce": 1.0,
        "projection.beside": 1.0,
    }

    def __init__(
        self,
        language: str,
        width: int,
        projection: ProjectionConfig | None = None,
        adapter: str = "lora",
    ) -> None:
        """Open the language model, and put both parts that train on it.

        Args:
            language: Folder, Hub name or ``.gguf`` file.
            width: Features of a picture, or of each of its regions where there is attention.
            projection: What stands between; by default the quantum one.
            adapter: A method of peft, see :func:`~qvlm_qiskit.adapter.decoders.with_adapter`.
        """
        super().__init__()
        base = open_decoder(language)
        config = ProjectionConfig() if projection is None else projection
        hidden, deviation = embedding_width(base), embedding_deviation(base)
        self.language, self.width, self.adapter = language, width, adapter
        self.decoder = with_adapter(base, adapter)
        self.projection: Projection = build_projection(config, width, hidden, deviation)

    @property
    def quantum_layers(self) -> dict[str, QuantumLayer]:
        """Every quantum layer by its module name."""
        return quantum_layers(self)

    def forward(
        self,
        features: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Logits of the next tokens, and their loss where there are labels.

        Args:
            features: ``(B, width)``; where there is attention, ``(B, P, width)``.
            input_ids: ``(B, T)``.
            attention_mask: ``(B, T)``, 0 at padding.
            labels: ``(B, T)``, -100 where nothing is learned.
            **kwargs: Of the language model, such as ``num_items_in_batch``.

        Returns:
            What the language model returns for the vision tokens and the text.
        """
        embeddings, mask = self.embedded(features, input_ids, attention_mask)
        if labels is not None:
            front = labels.new_full((len(labels), mask.shape[1] - labels.shape[1]), -100)
            labels = torch.cat([front, labels], dim=1)
        return self.decoder(inputs_embeds=embeddings, attention_mask=mask, labels=labels, **kwargs)

    def embedded(
        self, features: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Vision tokens in front of the text's embeddings, and the mask of both.

        Raises:
            InputError: Features of another tower.
        """
        if features.shape[-1] != self.width:
            raise InputError(
                f"this adapter takes {self.width} features of a picture, got {features.shape[-1]}"
            )
        text = self.decoder.get_input_embeddings()(input_ids)  # type: ignore[operator]
        vision = self.projection(features).to(text.dtype)
        front = attention_mask.new_ones(vision.shape[:2])
        return torch.cat([vision, text], dim=1), torch.cat([front, attention_mask], dim=1)

    @torch.no_grad()
    def generate(
        self, features: Tensor, input_ids: Tensor, attention_mask: Tensor, **how: Any
    ) -> Tensor:
        """New tokens ``(B, …)`` behind prompts that are padded on the left.

        The circuit runs once for a picture, whatever the length of its text.

        Args:
            features: ``(B, width)``; where there is attention, ``(B, P, width)``.
            input_ids: ``(B, T)``.
            attention_mask: ``(B, T)``.
            **how: Of transformers' ``generate``; by default greedy, up to 16 tokens.
        """
        embeddings, mask = self.embedded(features, input_ids, attention_mask)
        options = {"max_new_tokens": 16, "do_sample": False, **how}
        found: Tensor = self.decoder.generate(  # type: ignore[operator]
            inputs_embeds=embeddings, attention_mask=mask, **options
        )
        return found

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The parts that this package adds; the pretrained weights are where they came from."""
        whole = super().state_dict(*args, **kwargs)
        frozen = {n for n, p in self.decoder.named_parameters() if not p.requires_grad}
        prefix = kwargs.get("prefix", "") + "decoder."
        buffers = {n for n, _ in self.decoder.named_buffers()}
        for name in [n for n in whole if n.removeprefix(prefix) in frozen | buffers]:
            del whole[name]
        return whole

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load what :meth:`state_dict` gave.

        Raises:
            RuntimeError: With ``strict``, names that are missing or too many.
        """
        found = super().load_state_dict(state_dict, strict=False, assign=assign)
        missing = set(found.missing_keys) & set(self.state_dict())
        if strict and (missing or found.unexpected_keys):
            raise RuntimeError(
                f"missing {sorted(missing)[:3]}, unexpected {list(found.unexpected_keys)[:3]}"
            )
        return type(found)(sorted(missing), list(found.unexpected_keys))

    def save_pretrained(self, folder: Path) -> None:
        """Write adapter and projection, a few megabytes, and by what names the rest was opened."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(_plain(adapter_weights(self.decoder)), folder / ADAPTER)
        save_file(_plain(self.projection.state_dict()), folder / PROJECTION)
        self.decoder.peft_config["default"].save_pretrained(folder)  # type: ignore[operator,index,union-attr]
        write_json(
            folder / CONFIG,
            {
                "format": FORMAT, "version": VERSION, "language": self.language,
                "width": self.width, "adapter": self.adapter,
                "projection": asdict(self.projection.config),
            },
        )  # fmt: skip

    @classmethod
    def from_pretrained(cls, folder: Path, language: str | None = None) -> Self:
        """Open the language model again and put adapter and projection on it.

        Args:
            folder: Of :meth:`save_pretrained`.
            language: Where the language model lies now; by default where it lay then.

        Raises:
            InputError: A folder of something else, or weights that don't fit.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} holds no adapter: {error}") from error
        if (about.get("format"), about.get("version")) != (FORMAT, VERSION):
            raise InputError(f"{folder / CONFIG} is of another format or version")
        model = cls(
            language or about["language"], about["width"],
            ProjectionConfig(**about["projection"]), about["adapter"],
        )  # fmt: skip
        model.load_adapter(folder)
        return model.eval()

    def load_adapter(self, folder: Path) -> None:
        """Read adapter and projection of a folder into this model.

        Raises:
            InputError: They are of other sizes; the message has both shapes.
        """
        from peft import set_peft_model_state_dict

        found = load_file(folder / ADAPTER)
        own = adapter_weights(self.decoder)
        _check_shapes(found, own, folder / ADAPTER)
        set_peft_model_state_dict(self.decoder, found)
        projection = load_file(folder / PROJECTION)
        _check_shapes(projection, self.projection.state_dict(), folder / PROJECTION)
        self.projection.load_state_dict(projection)

    def load_source(self, folder: Path) -> None:
        """Read the source's classical projector and gate, in either precision.

        They lie in the folder or in the one above it.

        Args:
            folder: Of ``proj_final.pt`` and ``gate_final.pt``.

        Raises:
            InputError: The projection is not of kind "linear", a file is missing, or of another
                shape; the message has both shapes.
        """
        if not isinstance(self.projection, LinearProjection):
            raise InputError("the source's maps belong to a projection of kind 'linear'")
        for part, file in SOURCE_FILES.items():
            path = next((p / file for p in (folder, folder.parent) if (p / file).is_file()), None)
            if path is None:
                raise InputError(f"there is no {file} in {folder} or above it")
            found = torch.load(path, map_location="cpu", weights_only=True)
            module = self.projection.get_submodule(part)
            _check_shapes(found, module.state_dict(), path)
            # the source's tokens are not scaled to the embeddings
            scale = 1 / self.projection.deviation if part == "gate" else 1.0
            module.load_state_dict({k: v.float() * scale for k, v in found.items()})


def _plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as files hold them."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def _check_shapes(found: Mapping[str, Tensor], own: Mapping[str, Tensor], file: Path) -> None:
    for name, tensor in own.items():
        if name not in found:
            raise InputError(f"{file} lacks {name}")
        if found[name].shape != tensor.shape:
            raise InputError(
                f"{file}: {name} has the shape {tuple(found[name].shape)}, this model's has "
                f"{tuple(tensor.shape)}"
            )
    for name in found:
        if name not in own:
            raise InputError(f"{file} has {name}, which this model lacks")
