"""A study's options as the options of a command."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from qvlm_qiskit.cli import study as module
from qvlm_qiskit.cli.study import command_of
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.grid_study import Execution, Option, Study
from qvlm_qiskit.studies.registry import STUDIES, find_study


@dataclass(frozen=True)
class Options:
    runs: Annotated[tuple[Path, ...], Option("Run folders.", argument=True)]
    sizes: Annotated[tuple[int, ...], Option("Sizes.", "--size")] = (1, 2)
    names: Annotated[tuple[str, ...], Option("Names.")] = ("a(1,2)", "b")
    scales: Annotated[tuple[float, ...], Option("Scales.")] = ()
    more: Annotated[tuple[str, ...], Option("Of the studied.")] = ()
    quick: Annotated[bool, Option("In a hurry.")] = False
    shuffled: Annotated[bool, Option("In another order.")] = True
    most: int | None = None


class Asked(Study):
    """A study that is only asked."""

    name, options_type, template = "asked", Options, ""

    def cells(self):
        return []

    def compute(self, cell):
        return {}

    def summarise(self, rows):
        return {}


@pytest.fixture
def asked(monkeypatch):
    """Runs the command of a study, and returns what the study is asked for."""
    seen = []
    monkeypatch.setattr(module, "_run", lambda *given: seen.append(given))

    def run(study, *words):
        app = typer.Typer()
        app.command()(command_of(study))
        found = CliRunner().invoke(app, list(words))
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        assert found.exit_code == 0, found.output
        return seen[-1]

    return run


@pytest.fixture
def ask(asked):
    """The same of the study above."""
    return lambda *words: asked(Asked, *words)


def test_without_words_the_options_are_their_defaults(ask):
    study, execution, as_json = ask("run", "--out", "s")
    assert study == Asked(Options((Path("run"),)), Path("s"))
    assert (execution.processes, execution.table, as_json) == (1, "csv", False)


@pytest.mark.parametrize("name", STUDIES.own)
def test_every_study_takes_its_own_defaults(asked, name):
    study = find_study(name)
    fields = dataclasses.fields(study.options_type)
    needed = [
        f"run-{field.name}"
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    found, _, _ = asked(study, *needed, "--out", "s")
    given = {"runs": tuple(map(Path, needed))} if needed else {}
    assert found.options == study.options_type(**given)


def test_every_type_is_read_from_its_words(ask):
    study, execution, as_json = ask(
        "one", "two", "--out", "s", "--size", "3, 4", "--names", "c(5,6);d", "--scales", "0.5",
        "--quick", "--no-shuffled", "--most", "7", "--processes", "2", "--json",
    )  # fmt: skip
    assert study.options == Options(
        (Path("one"), Path("two")), (3, 4), ("c(5,6)", "d"), (0.5,), (), True, False, 7
    )
    assert isinstance(execution, Execution) and execution.processes == 2
    assert as_json


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--size", "1,x"), "--size takes whole numbers separated by commas, got '1,x'"),
        (("--scales", ""), "--scales is given and names nothing"),
        (("--more", " ;"), "--more is given and names nothing"),
        (("--scales", "1;2"), "--scales takes numbers separated by commas, got '1;2'"),
        (("--processes", "0"), "processes must be at least 1"),
        (("--format", "xls"), "csv, parquet"),
    ],
)
def test_words_that_are_no_such_thing_are_refused(ask, words, says):
    with pytest.raises(InputError, match=says):
        ask("run", "--out", "s", *words)


def test_a_report_that_can_not_be_written_again_is_said_and_left_alone(qvlm, place, run_copy):
    (run_copy / "results.json").write_text('{"format": "qvlm-results", "version": 1}', "utf-8")
    words = ("--backend", "noisy:fake_manila", "--strengths", "0", "--limit", "2", "--rows", "1")
    found = qvlm("study", "noise", run_copy, "--out", "grid", *words)
    assert found.status == 0, found.err
    assert "report gets no section: " in found.err and "older release" in found.err
    assert not (run_copy / "noise_study.json").exists()


@pytest.mark.slow
def test_study_noise_prints_its_table_and_goes_on(qvlm, place):
    words = (
        "study", "noise", "run", "--out", "grid", "--backend", "noisy:fake_manila",
        "--strengths", "0,2", "--limit", "4", "--rows", "2", "--shots", "20",
    )  # fmt: skip
    found = qvlm(*words)
    assert found.status == 0, found.err
    assert found.out.startswith("grid on noisy:fake_manila")
    assert {"report.html", "rows.csv", "rows.jsonl"} <= {p.name for p in (place / "grid").iterdir()}
    again = qvlm(*words, "--json")
    strengths = [p["strength"] for p in json.loads(again.out)["points"]]
    assert [strength for strength in strengths if strength is not None] == [0, 2]


REFUSALS = {
    "ablation": ["--data folder:nowhere", "--variants vision=nonsense"],
    "blocks": ["--data folder:nowhere --blocks qkan", "--blocks qkan --mitigation magic"],
    "compare": ["--data folder:nowhere", "--backend noisy:nowhere"],
    "compression": ["--quick --text file", "--quick --targets nothing"],
    "denoise": ["--data folder:nowhere", "--side 10"],
    "drift": ["nowhere", "folder"],
    "field": ["--pictures nowhere.png", "--pictures empty.png"],
    "kernels": ["--data nothing", "--regressions nothing"],
    "noise": ["nowhere", "run --backend noisy:nowhere"],
    "optimisers": ["--batch-size 4000", "--against nothing"],
    "replacement": ["--data folder:nowhere", "--image-size 5"],
    "robustness": ["--data folder:nowhere", "--block nonsense"],
    "search": ["--budget 5000", "--gates 99"],
    "shrinking": ["--left 4 --workers 2", "--left 12"],
    "starts": ["--qubits 17", "--costs nothing"],
    "zne": ["--strengths 0.1,0.2", "--qubits 9"],
}
"""Options of every study that are refused: by themselves, or by what lies in the working folder."""


@pytest.mark.parametrize("name", STUDIES.own)
def test_a_study_that_refuses_its_options_leaves_no_folder(refused, name):
    for words in REFUSALS[name]:
        assert refused("study", name, *words.split(), "--out", "new")
