"""``qvlm backends``, ``qvlm backends list`` and ``qvlm backends show NAME``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common

app = typer.Typer(
    rich_markup_mode=None, help="List the machines that circuits can run on, or show one."
)


@app.callback(invoke_without_command=True)
def root(context: typer.Context, as_json: common.AsJson = False) -> None:
    """List the machines that circuits can run on, or show one."""
    if context.invoked_subcommand is None:
        list_all(as_json)
    elif as_json:
        raise typer.BadParameter(f"--json goes behind {context.invoked_subcommand}")


@app.command("list")
def list_all(as_json: common.AsJson = False) -> None:
    """List the names that --backend takes."""
    from qvlm_qiskit.backends import list_backends

    rows = list_backends()
    if as_json:
        common.print_json(
            [{"name": r.name, "kind": r.kind, "qubits": r.qubits, "what": r.what} for r in rows]
        )
        return
    common.print_table(
        "backends",
        ("name", "kind", ">qubits", "what"),
        [(r.name, r.kind, "" if r.qubits is None else str(r.qubits), r.what) for r in rows],
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A name from qvlm backends list.")],
    device: common.Device = None,
    as_json: common.AsJson = False,
) -> None:
    """Open a backend and show what it is."""
    about = common.open_machine(name, device=device).describe()
    if as_json:
        common.print_json(about)
        return
    common.print_table(name, ("property", "value"), _flatten(about))


def _flatten(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, dict):
            rows += _flatten(item, f"{prefix}{key}.")
        elif item is not None:
            rows.append((f"{prefix}{key}", str(item)))
    return rows
