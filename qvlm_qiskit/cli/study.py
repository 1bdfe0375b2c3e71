"""``qvlm study NAME``: each study's command is made from the fields of its options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperGroup

from qvlm_qiskit.cli import common
from qvlm_qiskit.errors import InputError

if TYPE_CHECKING:
    from qvlm_qiskit.studies.grid_study import Option, Study

SEPARATORS = {float: ",", int: ",", str: ";", Path: ";"}
OUT = Annotated[Path, typer.Option("--out", help="The study's folder; an unfinished one goes on.")]
PROCESSES = Annotated[int, typer.Option("--processes", help="Cells at a time, one thread each.")]
TABLE = Annotated[
    str,
    typer.Option(
        "--format", help="csv, or parquet for rows.parquet beside rows.csv (needs pyarrow)."
    ),
]


class Studies(TyperGroup):
    """The studies by name; one is imported when its command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, this package's own first."""
        from qvlm_qiskit.studies.registry import STUDIES

        return STUDIES.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a study.

        Raises:
            UnknownNameError: There is no such study.
            RegistryError: It can't be imported.
        """
        from qvlm_qiskit.studies.registry import find_study

        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(cmd_name)(command_of(find_study(cmd_name)))
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Names and a line about each, without importing any."""
        from qvlm_qiskit.studies.registry import headline

        with formatter.section("Commands"):
            formatter.write_dl([(name, headline(name)) for name in self.list_commands(ctx)])


app = typer.Typer(
    cls=Studies,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Studies over many models and machines.",
)


@app.callback()
def root() -> None:
    """Studies over many models and machines."""


def command_of(study: type[Study[Any, Any]]) -> Callable[..., None]:
    """The function of a study's command: its options' fields, and what all studies take."""
    options = study.options_type
    hints = get_type_hints(options, include_extras=True)
    asked = {entry.name: _Asked(entry, hints[entry.name]) for entry in dataclasses.fields(options)}

    def run(
        study_out: Path, study_processes: int, study_table: str, study_json: bool, **given: Any
    ) -> None:
        from qvlm_qiskit.basics.progress import on_console
        from qvlm_qiskit.studies.grid_study import Execution

        chosen = options(**{name: asked[name].value(given[name]) for name in asked})
        track = on_console(common.console())
        execution = Execution(study_processes, study_table, track)
        _run(study(chosen, study_out), execution, study_json)

    every = [*asked.values()]
    parameters = [
        *(one.parameter() for one in every if one.option.argument),
        _parameter("study_out", OUT),
        *(one.parameter() for one in every if not one.option.argument),
        _parameter("study_processes", PROCESSES, 1),
        _parameter("study_table", TABLE, "csv"),
        _parameter("study_json", common.AsJson, False),
    ]
    run.__doc__ = inspect.getdoc(study)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _run(study: Study[Any, Any], execution: Any, as_json: bool) -> None:
    from qvlm_qiskit.basics.counted import counted
    from qvlm_qiskit.studies.grid_study import Printed, run_study

    for note in study.notes():
        common.say(f"qvlm: {note}", err=True)
    results = run_study(study, execution)
    pages = [study.folder / "report.html", *study.publish(results)]
    if as_json:
        common.print_json(results)
    else:
        printed = study.printed(results)
        for table in [printed] if isinstance(printed, Printed) else printed:
            common.print_table(table.title, table.columns, table.rows)
    screen = common.console()
    if others := results["rows_of_other_grids"]:
        lines = study.folder / "rows.jsonl"
        kept = f"{counted(others, 'row')} of other grids {'stays' if others == 1 else 'stay'}"
        screen.print(f"{kept} in {lines}, not shown here")
    screen.print(f"rows: {study.folder / 'rows.csv'}, report: {', '.join(map(str, pages))}")


class _Asked:
    """A field of a study's options as a parameter of its command."""

    def __init__(self, entry: dataclasses.Field[Any], hint: Any) -> None:
        from qvlm_qiskit.studies.grid_study import Option

        self.entry = entry
        said = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        self.type = get_args(hint)[0] if said else hint
        found = [one for one in said if isinstance(one, Option)]
        self.option: Option = found[0] if found else Option("")
        #: what a tuple consists of; None for one value
        self.each = get_args(self.type)[0] if get_origin(self.type) is tuple else None

    def parameter(self) -> inspect.Parameter:
        """The parameter, with Typer's annotation."""
        about = self.option
        if about.argument:
            kind: Any = list.__class_getitem__(self.each) if self.each else self.type
            info: Any = typer.Argument(help=about.help)
        else:
            kind = str if self.each else self.type
            off = f"/--no-{self._flag().removeprefix('--')}" if self.entry.default is True else ""
            info = typer.Option(self._flag() + off, help=about.help)
        return _parameter(self.entry.name, Annotated[kind, info], self._default())

    def value(self, given: Any) -> Any:
        """What the options take, from what the command line gave.

        Raises:
            InputError: A list without anything in it, or one of numbers with something else.
        """
        if self.each is None:
            return given
        if given is None:  # a list that is empty unless something is said
            return ()
        if self.option.argument:
            return tuple(given)
        parts = [part.strip() for part in given.split(SEPARATORS[self.each])]
        if not any(parts):
            raise InputError(f"{self._flag()} is given and names nothing")
        if self.each in (str, Path):
            return tuple(self.each(part) for part in parts)
        try:
            return tuple(self.each(part) for part in parts if part)
        except ValueError as error:
            kind = "whole numbers" if self.each is int else "numbers"
            raise InputError(
                f"{self._flag()} takes {kind} separated by commas, got {given!r}"
            ) from error

    def _flag(self) -> str:
        return self.option.name or f"--{self.entry.name.replace('_', '-')}"

    def _default(self) -> Any:
        default = self.entry.default
        if default is dataclasses.MISSING:
            made = self.entry.default_factory
            default = inspect.Parameter.empty if made is dataclasses.MISSING else made()
        if self.each is None or not isinstance(default, tuple):
            return default
        if not default:
            return None
        texts = [f"{one:g}" if self.each is float else str(one) for one in default]
        return SEPARATORS[self.each].join(texts)


def _parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
