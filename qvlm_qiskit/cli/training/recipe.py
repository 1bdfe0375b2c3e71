"""What `qvlm train` trains: the model, its sizes and its steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, see `qvlm_qiskit.recipes.TrainingOptions`."""

    model: Annotated[
        str,
        typer.Option(
            help="A model of your own, as MODULE:CLASS, or an installed one's name "
            "(docs/own-model.md); by default HybridVLM, which --recipe to --image-size are about."
        ),
    ] = "hybrid-vlm"
    model_option: Annotated[
        list[str] | None,
        typer.Option(
            help="An option of --model, such as num_qubits=4. Repeated.", show_default=False
        ),
    ] = None
    recipe: Annotated[str, typer.Option(help="Model recipe: tiny, small or paper.")] = "small"
    blocks: Annotated[
        str,
        typer.Option(
            help="quantum, classical (the twins), frozen (random circuits) or none; or one for "
            "each place, as in vision=quantum,text=none."
        ),
    ] = "quantum"
    vision_block: Annotated[
        str | None,
        typer.Option(
            help="The block behind the patch embeddings, NAME or NAME(option=value,…), such as "
            "qcnn(encoding=mps,pooling=1); by default the recipe's (docs/vision-block.md).",
            show_default=False,
        ),
    ] = None
    text_block: Annotated[
        str | None,
        typer.Option(
            help="The block behind the token embeddings, NAME or NAME(option=value,…), such as "
            "paqm(encoding=angle); by default the recipe's (docs/vision-block.md).",
            show_default=False,
        ),
    ] = None
    streams: Annotated[
        int | None,
        typer.Option(
            help="Residual streams of the decoder's hyper-connections (mHC), 1 for plain "
            "residuals; by default the recipe's.",
            show_default=False,
        ),
    ] = None
    vision_attention: Annotated[
        str | None,
        typer.Option(
            help="Of the vision tower: full, or latent (MLA); by default the recipe's.",
            show_default=False,
        ),
    ] = None
    router_loss: Annotated[
        float | None,
        typer.Option(
            help="Weight of the experts' load-balance loss; by default the recipe's.",
            show_default=False,
        ),
    ] = None
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Folder or Hub name of a pretrained tokenizer; by default each word of the "
            "training data is a token.",
            show_default=False,
        ),
    ] = None
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Side of the images in pixels; by default the recipe's.", show_default=False
        ),
    ] = None
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 64
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3
    schedule: Annotated[
        str,
        typer.Option(
            help="Of the learning rate: cosine, linear, constant, constant_with_warmup, "
            "polynomial or inverse_sqrt."
        ),
    ] = "cosine"
    clip: Annotated[float, typer.Option(help="Largest norm of a step's gradient.")] = 1.0
    accumulate: Annotated[int, typer.Option(help="Batches of one step.")] = 1
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            help="Steps between losses on the data's validation split; the weights with the "
            "lowest are kept.",
            show_default=False,
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            help="End the training after so many of them without a lower one.", show_default=False
        ),
    ] = None
    report_to: Annotated[
        str | None,
        typer.Option(
            help="Reporters of transformers, joined by commas, such as tensorboard (kept in "
            "RUN/reports).",
            show_default=False,
        ),
    ] = None
    precision: Annotated[
        str,
        typer.Option(
            help="What it computes in: float32, bf16 or fp16 (fp16 on a GPU); circuits, gates, "
            "routers and mHC stay in float32."
        ),
    ] = "float32"
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Keep no activations inside layers, compute them again in the backward pass.",
        ),
    ] = False
    train_samples: Annotated[
        int, typer.Option(help="Size of the training set, at most what the data has.")
    ] = 16000
    seed: Annotated[int, typer.Option(help="Of weights, data and batches.")] = 0

    def chosen(self) -> dict[str, Any]:
        """The same as training options.

        Raises:
            InputError: An option of the model is not of the form key=value, or stands twice.
        """
        from qvlm_qiskit.basics.placed_names import PlacedName

        found = {k: v for k, v in asdict(self).items() if k not in ("model_option", "report_to")}
        name = self.model
        if self.model_option:
            written = ",".join(self.model_option)
            more = PlacedName.read(f"model({written})").options
            placed = PlacedName.read(name)
            name = str(PlacedName(placed.name, placed.place, {**placed.options, **more}))
        return {**found, "model": name, "reports": self.report_to or ""}
