"""``qvlm jobs``: the runs of a ledger, and what can be done with them."""

from __future__ import annotations

import typer

from qvlm_qiskit.cli.jobs import go_on, keep, look

app = typer.Typer(
    rich_markup_mode=None, help="Look at, go on with, stop and keep what qvlm submit began."
)
app.command("list")(look.list_runs)
app.command("show")(look.show)
app.command("resume")(go_on.resume)
app.command("watch")(go_on.watch)
app.command("cancel")(go_on.cancel)
app.command("retry")(go_on.retry)
app.command("results")(look.results)
app.command("usage")(look.usage)
app.command("verify")(keep.verify)
app.command("export")(keep.export)

__all__ = ["app"]
