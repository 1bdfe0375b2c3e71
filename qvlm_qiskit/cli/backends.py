"""``qvlm backends``, ``qvlm backends list`` and ``qvlm backends show NAME``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.errors import InputError

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
def list_all(
    as_json: common.AsJson = False,
    text: Annotated[str | None, typer.Argument(help="Part of a name.", show_default=False)] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="exact, simulated, local or hardware.", show_default=False),
    ] = None,
    qubits: Annotated[
        int | None, typer.Option(help="At least so many qubits.", show_default=False)
    ] = None,
) -> None:
    """List the names that --backend takes; all fake devices, or those that are asked for."""
    from qvlm_qiskit.backends import list_backends

    rows = _chosen(list_backends(), text, kind, qubits)
    if as_json:
        common.print_json(
            [{"name": r.name, "kind": r.kind, "qubits": r.qubits, "what": r.what} for r in rows]
        )
        return
    asked = (text, kind, qubits) != (None, None, None)
    shown = [(r.name, r.kind, _count(r.qubits), r.what) for r in rows] if asked else _folded(rows)
    common.print_table("backends", ("name", "kind", ">qubits", "what"), shown)
    if not asked:
        common.say("qvlm backends list fake names all fake devices; --kind and --qubits choose too")


def _chosen(rows: Sequence[Any], text: str | None, kind: str | None, qubits: int | None) -> Any:
    """The rows that are asked for.

    Raises:
        InputError: No row is of that kind, or none is left.
    """
    kinds = sorted({row.kind for row in rows})
    if kind is not None and not any(kind in known for known in kinds):
        raise InputError(f"no backend is of the kind {kind!r}; there are {', '.join(kinds)}")
    found = [
        row
        for row in rows
        if (text or "") in row.name
        and (kind or "") in row.kind
        and (qubits is None or (row.qubits is not None and row.qubits >= qubits))
    ]
    if not found:
        raise InputError("no backend is like that; qvlm backends lists what there is")
    return found


def _folded(rows: Sequence[Any]) -> list[tuple[str, ...]]:
    """A row for all devices of one prefix, so that the list fits a screen."""
    shown: dict[str, tuple[str, ...]] = {}
    for row in rows:
        family, fake, _ = row.name.partition("fake_")
        if not fake:
            shown[row.name] = (row.name, row.kind, _count(row.qubits), row.what)
            continue
        alike = [r for r in rows if r.name.startswith(family + fake)]
        sizes = [r.qubits for r in alike if r.qubits is not None]
        what = f"{len(alike)} devices: {row.what.replace(row.name.removeprefix(family), 'each')}"
        name = f"{family}fake_…"
        shown[name] = (name, row.kind, f"{min(sizes)} – {max(sizes)}", what)
    return list(shown.values())


def _count(qubits: int | None) -> str:
    return "" if qubits is None else str(qubits)


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
            rows.append((f"{prefix}{key}", _in_words(item)))
    return rows


def _in_words(value: Any) -> str:
    """A value as text: lists without brackets, yes and no, "–" for what is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(one)}" for name, one in value.items()) or "–"
    if isinstance(value, list | tuple | set):
        separator = "; " if any(isinstance(one, Mapping | list | tuple) for one in value) else ", "
        return separator.join(map(_in_words, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
