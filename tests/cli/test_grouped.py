"""Options that belong together, as one object."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from qvlm_qiskit.cli.grouped import Takes, grouped


@dataclass(frozen=True, kw_only=True)
class Machine:
    name: Annotated[str, typer.Option("--backend", help="Its name.")] = "aer"
    shots: Annotated[int | None, typer.Option(help="Shots.", show_default=False)] = None
    fast: Annotated[bool, typer.Option("--fast", help="Be quick.")] = False

    def __post_init__(self):
        if self.shots == 0:
            raise typer.BadParameter("no shots")


def application(command):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, words)


def test_the_fields_are_options_and_arrive_as_an_object():
    got = []

    @grouped
    def run(path: Annotated[str, typer.Argument()], machine: Machine, loud: bool = False) -> None:
        """Run it."""
        got.append((path, machine, loud))

    call = application(run)
    assert call("here").exit_code == 0
    assert call("there", "--backend", "x", "--shots", "3", "--fast", "--loud").exit_code == 0
    assert got == [
        ("here", Machine(), False),
        ("there", Machine(name="x", shots=3, fast=True), True),
    ]
    text = call("--help").output
    assert "Run it." in text
    assert all(word in text for word in ("--backend", "Its name.", "--shots", "--fast", "--loud"))


def test_a_group_can_be_taken_in_part_with_other_defaults():
    got = []

    @grouped
    def few(machine: Annotated[Machine, Takes(only=("name",), defaults={"name": ...})]) -> None:
        got.append(machine)

    @grouped
    def others(
        machine: Annotated[Machine, Takes(without=("fast",), defaults={"shots": 7})],
    ) -> None:
        got.append(machine)

    assert application(few)().exit_code == 2  # required now
    assert application(few)("--backend", "x", "--shots", "1").exit_code == 2  # not taken
    assert application(few)("--backend", "x").exit_code == 0
    assert application(others)().exit_code == 0
    assert application(others)("--fast").exit_code == 2
    assert got == [Machine(name="x"), Machine(shots=7)]


def test_what_a_group_refuses_is_a_refusal_of_the_command():
    @grouped
    def run(machine: Machine) -> None:
        raise AssertionError("not reached")

    found = application(run)("--shots", "0")
    assert (found.exit_code, "no shots" in found.output) == (2, True)


def test_mistakes_in_a_signature_show_when_it_is_written():
    def twice(machine: Machine, shots: int = 1) -> None: ...

    def unknown(machine: Annotated[Machine, Takes(without=("slow",))]) -> None: ...

    with pytest.raises(TypeError, match="two options of one name"):
        grouped(twice)
    with pytest.raises(TypeError, match="Machine has no slow"):
        grouped(unknown)
