"""``qvlm profile``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped

if TYPE_CHECKING:
    from qvlm_qiskit.profiling import Profile
    from qvlm_qiskit.profiling.profile import Cost
    from qvlm_qiskit.recipes import TrainingOptions

ROUNDS = 7


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Which model is measured, and on what."""

    recipe: Annotated[str, typer.Option(help="Model recipe: tiny, small or paper.")] = "small"
    streams: Annotated[
        int | None,
        typer.Option(help="Residual streams (mHC); by default the recipe's.", show_default=False),
    ] = None
    vision_attention: Annotated[
        str | None,
        typer.Option(help="full or latent (MLA); by default the recipe's.", show_default=False),
    ] = None
    vision_block: Annotated[
        str | None,
        typer.Option(help="Block behind the patch embeddings.", show_default=False),
    ] = None
    text_block: Annotated[
        str | None,
        typer.Option(help="Block behind the token embeddings.", show_default=False),
    ] = None
    data: Annotated[str, typer.Option(help="Data set of the batch.")] = "digits"
    batch_size: Annotated[int, typer.Option(help="Samples of a step.")] = 64

    def options(self, run: Path | None) -> TrainingOptions:
        """The training whose step is measured; a run decides all but the batch.

        Raises:
            QVLMError: An unknown name, or one that the run contradicts.
        """
        from qvlm_qiskit.recipes import TrainingOptions, data_name

        options = TrainingOptions(**{**asdict(self), "data": data_name(self.data)})
        return options if run is None else _of_run(run, options)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How it is measured."""

    vocabulary: Annotated[
        int | None,
        typer.Option(
            help="Tokens of the models; by default the data's, of paper the published 50,262.",
            show_default=False,
        ),
    ] = None
    backend: Annotated[str, typer.Option(help="Where the quantum model's circuits run.")] = (
        "statevector"
    )
    shots: common.Shots = None
    rounds: Annotated[int, typer.Option(help="Measurements of each part; the median counts.")] = (
        ROUNDS
    )
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the table into this file: .png, .svg or .pdf.", show_default=False),
    ] = None
    threads: common.Threads = 1

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            QVLMError: Numbers out of range, or an unknown backend.
        """
        from qvlm_qiskit.backends.catalog import check_backend
        from qvlm_qiskit.backends.options import BackendOptions
        from qvlm_qiskit.errors import InputError

        common.check_threads(self.threads)
        if self.rounds < 1:
            raise InputError(f"--rounds must be at least 1, got {self.rounds}")
        if self.backend != "statevector" or self.shots is not None:
            check_backend(self.backend, BackendOptions(shots=self.shots))

    def machine(self) -> Any:
        """The open backend; None for the model's own statevectors."""
        if self.backend == "statevector":
            return None
        values = self.shots is None and self.backend.startswith("noisy:")
        exact = {"precision": 0} if values else {}
        return common.open_machine(self.backend, shots=self.shots, **exact)


@grouped
def profile(
    sizes: Sizes,
    measured: Measured,
    run: Annotated[
        Path | None,
        typer.Argument(
            help="Run folder whose model is meant, instead of a recipe.", show_default=False
        ),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Measure what every part of a step takes: the quantum model, its twin and the plain one.

    The three are made of the same options and given the same batch; parts are measured alone, in
    turn. Times are of untrained weights.
    """
    measured.check()
    options = sizes.options(run)
    common.use_threads(measured.threads)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.profiling import profile as measure
    from qvlm_qiskit.profiling.plot import check_plot
    from qvlm_qiskit.profiling.plot import plot as draw

    if measured.plot is not None:
        check_plot(measured.plot)
    found = measure(
        options, backend=measured.machine(), vocabulary=measured.vocabulary,
        rounds=measured.rounds, track=on_console(common.console()),
    )  # fmt: skip
    if measured.plot is not None:
        draw(found, measured.plot)
    if as_json:
        common.print_json({**found.as_dict(), "backend": measured.backend})
        return
    print_profile(found, measured.backend)
    if measured.plot is not None:
        common.say(f"the plot is at {measured.plot}")


def _of_run(run: Path, asked: TrainingOptions) -> TrainingOptions:
    """The options that a run's model was trained with.

    Raises:
        InputError: A model that is no `HybridVLM`, or an option that the run decides.
        RunFolderError: There is none.
    """
    from dataclasses import fields, replace

    from qvlm_qiskit.errors import InputError
    from qvlm_qiskit.recipes import HYBRID, TrainingOptions
    from qvlm_qiskit.runs import Run

    opened = Run.open(run)
    if opened.model_name != HYBRID:
        raise InputError(f"a profile is of {HYBRID}'s parts: {run} holds {opened.model_name}")
    plain = TrainingOptions(batch_size=asked.batch_size)
    for field in fields(plain):
        if getattr(asked, field.name) != getattr(plain, field.name):
            raise InputError(f"{run} says what its model is: leave {field.name} out")
    return replace(plain, **opened.trained_with())


def print_profile(found: Profile, backend: str) -> None:
    """Print a table of 80 columns, and what its numbers are."""
    from qvlm_qiskit.profiling.components import COMPONENTS
    from qvlm_qiskit.profiling.profile import KINDS, STEP

    about = found.about
    parts = [p for p in (*COMPONENTS, STEP) if any(p in costs for costs in found.costs.values())]
    common.say(
        f"recipe {about['recipe']}, {about['batch_size']} samples of {about['tokens']} tokens, "
        f"{about['threads']} thread(s), circuits on {backend}"
    )
    for title, which in (("forward, ms", "forward"), ("forward + backward, ms", "both")):
        rows = [
            [
                part,
                *(_ms(found.costs[kind].get(part), which) for kind in KINDS),
                f"{found.share(part, which=which):.0%}",
            ]
            for part in parts
        ]
        if which == "both":
            for row, part in zip(rows, parts, strict=True):
                row.append(_mib(found.costs["quantum"].get(part)))
        columns = ("=part", *(f">{kind}" for kind in KINDS), ">share", ">MiB")
        common.print_table(title, columns[: len(rows[0])], rows)
    counts = ", ".join(f"{c:,} ({k})" for k, c in found.parameters.items())
    common.say("share and MiB (how far memory rises) are the quantum model's")
    common.say("plain: positions by rotary embedding; residual additions in place of mHC")
    common.say(f"parameters: {counts}")
    if not about["interleaved"]:
        common.say("the three models were measured one after the other: together they don't fit")


def _ms(cost: Cost | None, which: str) -> str:
    """Three digits."""
    value: Any = None if cost is None else getattr(cost, which)
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mib(cost: Cost | None) -> str:
    if cost is None or cost.peak is None:
        return "–"
    return f"{cost.peak / 2**20:,.1f}"
