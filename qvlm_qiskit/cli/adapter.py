"""``qvlm adapter``: a quantum adapter between a pretrained vision tower and a language model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import ask, common, evaluate, submit
from qvlm_qiskit.cli.grouped import Takes, grouped
from qvlm_qiskit.cli.options import DataOptions
from qvlm_qiskit.cli.training.machine import Kept, TrainingMachine
from qvlm_qiskit.cli.training.recipe import Recipe
from qvlm_qiskit.cli.training.run import Folder, run_training

PROMPT = "Describe the image:"
STEPS = (
    "steps", "batch_size", "learning_rate", "schedule", "clip", "accumulate", "evaluate_every",
    "patience", "report_to", "train_samples", "seed",
)  # fmt: skip
OPTIONS = {"n_qubits": "num_qubits", "layers": "num_layers"}
"""What the command calls otherwise than ``--model 'adapter(…)'``."""

app = typer.Typer(
    rich_markup_mode=None,
    help="Put a circuit between a pretrained vision tower and a language model, and train that "
    "and low-rank adapters alone. What it leaves is a run folder like every other.",
)


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """The two models, and what stands between them."""

    vision: Annotated[
        str,
        typer.Option(
            help="Vision tower: a folder, a name of the Hub, efficientnet-lite0, or pixels for "
            "grey levels."
        ),
    ]
    language: Annotated[
        str,
        typer.Option(help="Language model: a folder, a name of the Hub, a .gguf file, or smollm2."),
    ]
    projection: Annotated[
        str,
        typer.Option(
            help="quantum, classical (its twin), frozen (a random circuit), or linear (the two "
            "maps of the classical source)."
        ),
    ] = "quantum"
    block: Annotated[
        str | None,
        typer.Option(
            help="A model of the block zoo in the circuit's place: NAME or NAME(option=value,…), "
            "see docs/blocks.md.",
            show_default=False,
        ),
    ] = None
    n_qubits: Annotated[int, typer.Option(help="Qubits of the circuit.")] = 4
    layers: Annotated[int, typer.Option(help="Variational layers of the circuit.")] = 3
    ansatz: Annotated[
        str, typer.Option(help="mixed (RY, RZ, RX), or source (RX alone, as published).")
    ] = "mixed"
    read: Annotated[str, typer.Option(help="What is read: zz (Z and ZZ), or z.")] = "zz"
    tokens: Annotated[int, typer.Option(help="Vision tokens of a picture.")] = 1
    keep: Annotated[
        int | None,
        typer.Option(
            help="Keep a linear map of this width in front: the circuit takes the gate's place.",
            show_default=False,
        ),
    ] = None
    encoding: Annotated[
        str,
        typer.Option(help="angle (of a linear map), or amplitude (the 2^n features themselves)."),
    ] = "angle"
    attention: Annotated[
        str | None,
        typer.Option(
            help="Attend to regions of a picture, with scores or values by the circuit, a row for "
            "each region.",
            show_default=False,
        ),
    ] = None
    grid: Annotated[
        int | None,
        typer.Option(
            help="Regions along each side of a picture, 3 unless said.", show_default=False
        ),
    ] = None
    pool: Annotated[str, typer.Option(help="Of the tower's tokens: auto, cls, pooled or mean.")] = (
        "auto"
    )
    adapter: Annotated[
        str,
        typer.Option(help="A method of peft, NAME or NAME(option=value,…), such as lora(r=8)."),
    ] = "lora"
    beams: Annotated[int, typer.Option(help="Beams of the search for an answer.")] = 3
    cache: Annotated[
        str | None,
        typer.Option(help="Folder that keeps features of pictures.", show_default=False),
    ] = None

    def name(self) -> str:
        """The same as ``--model`` takes it."""
        own = {OPTIONS.get(k, k): v for k, v in asdict(self).items() if v is not None}
        for place in ("vision", "language", "cache"):
            if place in own and Path(own[place]).expanduser().exists():
                own[place] = str(Path(own[place]).expanduser().resolve())
        return f"adapter({','.join(f'{key}={value}' for key, value in own.items())})"


@app.command()
@grouped
def train(
    context: typer.Context,
    folder: Folder,
    pretrained: Pretrained,
    recipe: Annotated[Recipe, Takes(only=STEPS, defaults={"batch_size": 16, "steps": 300})],
    data: DataOptions,
    machine: TrainingMachine,
    kept: Kept,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="In front of every answer, where the data has no questions of its own "
            "(ask= of --columns).",
            show_default=False,
        ),
    ] = None,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Train the circuit and the low-rank adapters; the pretrained weights stay as they are."""
    from qvlm_qiskit.recipes import TrainingOptions

    common.check_threads(threads)
    chosen: dict[str, Any] = {**recipe.chosen(), "model": pretrained.name()}
    if (name := data.name()) is not None:
        chosen["data"] = _with_prompt(name, prompt)
    run_training(
        context, TrainingOptions(**chosen), folder, machine, kept, threads=threads, as_json=as_json
    )


def _with_prompt(data: str, prompt: str | None) -> str:
    """A data set whose every question is the prompt.

    Raises:
        InputError: It has another one.
    """
    from qvlm_qiskit.basics.placed_names import PlacedName
    from qvlm_qiskit.errors import InputError

    if prompt is None:
        return data
    placed = PlacedName.read(data)
    if "ask" in placed.options:
        raise InputError("--prompt and ask= of the data are one thing: say it once")
    return str(PlacedName(placed.name, placed.place, {**placed.options, "ask": prompt}))


@app.command()
@grouped
def caption(
    image: ask.ImagePath,
    machine: ask.Machine,
    answered: ask.Answered,
    prompt: Annotated[str, typer.Option(help="What stands in front of the caption.")] = PROMPT,
) -> None:
    """Describe an image; the circuit runs once, whatever the length of the text."""
    ask.ask_about(image, lambda known: prompt, machine, answered)


app.command("evaluate")(evaluate.evaluate)
app.command("submit")(submit.submit)


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm adapter train.")],
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the entropies into this .png, .svg or .pdf.", show_default=False),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Show what the trained updates are made of: entropies of their cuts, beside random factors."""
    from qvlm_qiskit.basics.files import check_plot
    from qvlm_qiskit.errors import InputError
    from qvlm_qiskit.runs import Run

    opened = Run.open(run)
    if opened.model_name.partition("(")[0] != "adapter":
        raise InputError(f"{run} holds {opened.model_name}, no adapter of a language model")
    if plot is not None:
        check_plot(plot)
    common.use_threads(1)
    from qvlm_qiskit.adapter.inspection import update_profiles
    from qvlm_qiskit.adapter.inspection.plot import plot_entropies

    model: Any = opened.answering_model()
    found = update_profiles(model.model.decoder)
    if plot is not None:
        plot_entropies(found, plot)
    if as_json:
        common.print_json([asdict(one) for one in found])
        return
    rows = [
        [
            one.name.removeprefix("base_model.model."),
            f"{one.shape[0]} × {one.shape[1]}",
            str(one.rank),
            f"{one.entropies[one.row_bits - 1]:.2f}",
            f"{one.control[one.row_bits - 1]:.2f}",
            f"{one.bound:.2f}",
        ]
        for one in found
    ]
    columns = ("layer", "=shape", ">rank", ">bits", ">random", ">log₂ rank")
    common.print_table("entropy of ΔW between rows and columns", columns, rows)
    common.say("its valley there is the rank's: a random matrix of the same rank has one too")
