"""``qvlm push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qvlm_qiskit.cli import common


def push(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on Hugging Face's Hub.")],
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            help="What qvlm evaluate --json printed: a row of the card's table. Repeated.",
            show_default=False,
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the model card, and stop.")
    ] = False,
) -> None:
    """Upload a trained model with its model card to Hugging Face's Hub (token: HF_TOKEN)."""
    from qvlm_qiskit.publishing import model_card, push, read_evaluation
    from qvlm_qiskit.runs import Run

    opened = Run.open(run)
    found = [read_evaluation(path) for path in evaluation or ()]
    if dry_run:
        for line in model_card(opened, found).splitlines():
            common.say(line)
        return
    common.say(push(opened, repository, found, private=private))
