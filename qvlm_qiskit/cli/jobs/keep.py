"""``qvlm jobs verify|export``: whether what is stored is right, and giving it away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.jobs.machines import restore_results
from qvlm_qiskit.cli.jobs.run import Identifier, load
from qvlm_qiskit.cli.options import LedgerOptions


@grouped
def verify(
    kept: LedgerOptions,
    identifier: Annotated[
        str | None,
        typer.Argument(help="A run's id, its beginning, or last; by default all.", metavar="ID"),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="First fetch damaged raw results again.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="First make a lost or damaged database again from the files beside it.",
        ),
    ] = False,
) -> None:
    """Decode stored raw results again, offline, and compare with the answers bit for bit."""
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.inference.export import submissions_behind
    from qvlm_qiskit.jobs.verify import verify as verified

    if rebuild:
        _rebuild(kept)
    ledger = kept.open()
    if restore:
        restore_results(ledger)
    if identifier is None:
        rows = verified(ledger, track=on_console(common.console()))
    else:
        jobs = submissions_behind(ledger, load(ledger, identifier))
        rows = sum(verified(ledger, job) for job in jobs if str(job.state) == "answered")
    common.say(f"{rows:,} rows are what their raw results say")


def _rebuild(kept: LedgerOptions) -> None:
    from qvlm_qiskit.jobs.rebuild import rebuild

    made = rebuild(*kept.place())
    common.say(
        f"rebuilt: {made.runs:,} runs, {made.submissions:,} submissions, {made.rows:,} answered "
        "rows",
        err=True,
    )
    for name, why in made.unread.items():
        common.say(f"- {name}: {why}", err=True)


@grouped
def export(
    identifier: Identifier,
    kept: LedgerOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new folder, or a file that ends in .zip; by default a folder named by the id.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace it if it exists.")
    ] = False,
) -> None:
    """Write a run's record, what was sent and what came back, with checksums."""
    from qvlm_qiskit.inference import export_run

    ledger = kept.open()
    run = load(ledger, identifier)
    out = out or Path(run.id)
    sums = export_run(ledger, run.id, out, overwrite=overwrite)
    common.say(f"{len(sums)} files in {out}, with their SHA-256 in SHA256SUMS", err=True)
