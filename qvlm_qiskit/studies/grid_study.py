"""What every study is, and how its cells are computed: in processes, each once, safe on disk.

STUDY/
  grid.json       the options
  data.json       digests of the data that was read; data that has changed since is refused
  rows.jsonl      one line per finished cell; a study that is started again goes on behind them
  rows.csv        the same rows as a table
  rows.parquet    the same table with types, where it was asked for
  results.json    the summary and the rows
  report.html     what the study's template shows of them
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from qvlm_qiskit.basics.files import only_one, write_bytes, write_json, write_text
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.study_folder import Digests, Row, StudyFolder
from qvlm_qiskit.studies.tables import Table, check_format, flatten
from qvlm_qiskit.studies.workers import StudyError, Workers

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")
Cell = TypeVar("Cell", bound="DataclassInstance")
MOST_PROCESSES = 256


@dataclass(frozen=True)
class Option:
    """How a field of a study's options is asked for, as ``Annotated[int, Option("Seeds.")]``.

    Attributes:
        help: One sentence.
        name: Such as "--limit"; by default the field's name.
        argument: Whether it is given without a name.
    """

    help: str
    name: str = ""
    argument: bool = False


@runtime_checkable
class Stored(Protocol):
    """Options that are kept in other words than they are asked for."""

    def stored(self, plain: dict[str, Any]) -> dict[str, Any]:
        """What ``grid.json`` has in place of the fields.

        Args:
            plain: The fields as plain data.
        """


@dataclass(frozen=True)
class Printed:
    """A table for the terminal; columns named with ">" hold numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Execution:
    """How a study is carried out, which changes none of its numbers.

    Attributes:
        processes: How many cells are computed at a time, each with one thread.
        table: "csv", or "parquet" for a Parquet file beside the CSV one.
        track: Opens progress bars.
    """

    processes: int = 1
    table: str = "csv"
    track: Track = field(default=silent)

    def __post_init__(self) -> None:
        """Refuse what can't be done.

        Raises:
            InputError: No process, or an unknown table.
            MissingDependencyError: A Parquet file without pyarrow.
        """
        check_types(self)
        if self.processes < 1:
            raise InputError(f"processes must be at least 1, got {self.processes}")
        if self.processes > MOST_PROCESSES:
            raise InputError(
                f"processes must be at most {MOST_PROCESSES}, each loads torch; got "
                f"{self.processes}"
            )
        check_format(self.table)


@dataclass(frozen=True)
class Study(ABC, Generic[Options, Cell]):
    """A study of some options in a folder; the class's docstring is the help of its command.

    A subclass lives in a module's top level, since other processes import it by name.

    Attributes:
        options: What was asked for.
        folder: The study's; a cell may leave files in it, such as run folders.
        name: Of the command ``qvlm study NAME`` and of the folder's format.
        title: Heading of the report; by default the docstring's first line.
        options_type: A frozen dataclass of plain data; each field is an option of the command.
            Types are those of Typer, and tuples: of numbers, separated by commas, or of texts,
            separated by semicolons.
        template: Jinja2 text of the report's body, or the name of a file ``*.j2`` beside the
            study's module.
        version: To be raised when the same cells get other numbers; other folders are refused.
        grows: Names of options that may change from one run to the next in the same folder. They
            add or leave out cells, or are part of a cell's identity.
        columns: Columns that come first in tables, with their types as Arrow names them.
    """

    options: Options
    folder: Path

    name: ClassVar[str]
    title: ClassVar[str] = ""
    options_type: ClassVar[type[Any]]
    template: ClassVar[str]
    version: ClassVar[int] = 1
    grows: ClassVar[frozenset[str]] = frozenset()
    columns: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        """Take a folder as a path or a text.

        Raises:
            InputError: It is neither.
        """
        if not isinstance(self.folder, str | PathLike):
            raise InputError(f"the study's folder must be a path, got {arrived(self.folder)}")
        object.__setattr__(self, "folder", Path(self.folder))

    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """All cells of the grid: frozen dataclasses of plain data.

        Raises:
            QVLMError: The options don't fit together.
        """

    @abstractmethod
    def compute(self, cell: Cell) -> Row:
        """One row, as plain data; runs in a process of its own, with one thread."""

    @abstractmethod
    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """What the rows say, as plain data."""

    def identity(self, cell: Cell) -> Mapping[str, Any]:
        """Plain data that decides a cell's numbers, beside the options that don't grow."""
        return dataclasses.asdict(cell)

    def stored_options(self) -> dict[str, Any]:
        """The options as ``grid.json`` keeps them: plain data, paths as texts.

        Raises:
            InputError: Data that they name is not there.
        """
        text = json.dumps(dataclasses.asdict(self.options), default=_as_text)
        plain = dict(json.loads(text))
        return self.options.stored(plain) if isinstance(self.options, Stored) else plain

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Refuse what could not be computed, before anything is written."""

    def missing_models(self) -> Sequence[Any]:
        """What several cells need and is not there yet; each is given to :meth:`train` once."""
        return ()

    def train(self, model: Any) -> None:
        """Leave a model in the study's folder; runs in a process of its own, before all cells."""
        raise StudyError(f"study {self.name!r} names models that are missing and has no train()")

    def again(self, row: Row) -> bool:
        """Whether a finished cell is computed again: its row holds to a limit that has changed."""
        return False

    def label(self, row: Row) -> str:
        """A short note beside the progress bar about a finished cell."""
        return ""

    def flat(self, row: Row) -> dict[str, Any]:
        """A row of the tables."""
        return flatten({name: value for name, value in row.items() if name != "versions"})

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """What the template knows as ``study``."""
        return dict(results)

    def printed(self, results: Mapping[str, Any]) -> Printed | Sequence[Printed]:
        """A table for the terminal, or several; by default none."""
        return ()

    def notes(self) -> list[str]:
        """What the user should know before the work begins."""
        return []

    def publish(self, results: Mapping[str, Any]) -> list[Path]:
        """Write what belongs outside the study's folder; returns the pages."""
        return []

    @property
    def header(self) -> dict[str, Any]:
        """Format and version of the study's files."""
        return {"format": f"qvlm-{self.name}-study", "version": self.version}

    def key(self, cell: Cell) -> str:
        """Names the numbers that a cell will give: the same key, the same numbers."""
        text = json.dumps(self.identity(cell), sort_keys=True, default=_as_text)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def page(self, results: Mapping[str, Any]) -> str:
        """The report: HTML without references to other files."""
        from qvlm_qiskit.studies.reports.templates import study_page

        title = self.title or (inspect.getdoc(type(self)) or self.name).partition("\n")[0]
        # a study that derives from another one may include its template
        kinds = [one for one in type(self).__mro__ if issubclass(one, Study) and one is not Study]
        beside = [Path(inspect.getfile(one)).parent for one in kinds]
        return study_page(self.name, title, self.template, beside, self.context(results))


def run_study(study: Study[Any, Any], execution: Execution | None = None) -> dict[str, Any]:
    """Fill a study's folder, and return what its ``results.json`` holds.

    A study that was interrupted, or whose grid has grown, goes on: rows that are there are kept,
    and only missing ones are computed.

    Raises:
        InputError: A folder of something else or of other options, one that another process is
            filling, options that don't fit, or data that has changed since the study was begun.
        StudyError: Two cells are the same, or a process died.
        QVLMError: Any refusal of the study, before anything is written.
    """
    from qvlm_qiskit.data.registry import read_so_far, reading_once

    execution = execution or Execution()
    with reading_once():
        stored = study.stored_options()
        cells = _by_key(study)
        folder = StudyFolder(study.folder, study.header, stored, study.grows)
        study.rehearse(list(cells.values()))
        if _missing(study, folder, cells):
            _read_all_again(folder)
        folder.hold_to({**_files_of(study.options), **read_so_far()})
        with only_one(study.folder):
            folder.begin()
            _compute(study, folder, execution, _missing(study, folder, cells))
            rows = [folder.rows[key] for key in cells]
            results = {
                **study.header,
                "grid": stored,
                "rows_of_other_grids": len(folder.rows) - len(rows),
                **study.summarise(rows),
                "rows": rows,
            }
            _write(study, results, execution.table)
    return results


def computed_row(study: Study[Options, Cell], cell: Cell) -> Row:
    """What ``rows.jsonl`` keeps of a cell: its key, its row, seconds, and versions."""
    from qvlm_qiskit.backends.backend import installed_versions

    _use_one_thread()
    started = time.perf_counter()
    row = study.compute(cell)
    seconds = round(time.perf_counter() - started, 2)
    return {"key": study.key(cell), **row, "seconds": seconds, "versions": installed_versions()}


def _as_text(value: object) -> str:
    """A path as JSON has it."""
    if isinstance(value, PurePath):
        return str(value)
    raise StudyError(f"a study's options and cells are plain data and paths, got {value!r}")


def _read_all_again(folder: StudyFolder) -> None:
    """Read what finished cells have read, so that new ones are not set beside them if it changed.

    That of other runs may be gone: only data that the rehearsal has opened is looked at.
    """
    from qvlm_qiskit.data.registry import read_again, read_so_far

    for name in read_so_far().keys() & folder.digests.keys():
        for which in folder.digests[name]:
            read_again(name, which)


def _files_of(options: DataclassInstance) -> Digests:
    """Digests of the files that options name."""
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {
        f"the file of {name}": {str(path): _digest(path)}
        for name, path in given.items()
        if isinstance(path, Path) and path.is_file()
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _trained(study: Study[Any, Any], model: Any) -> Digests:
    """Train a model; returns what has been read in this process."""
    from qvlm_qiskit.data.registry import read_so_far

    _use_one_thread()
    study.train(model)
    return read_so_far()


def _computed(study: Study[Any, Any], cell: Any) -> tuple[Row, Digests]:
    """A row, and what has been read in this process."""
    from qvlm_qiskit.data.registry import read_so_far

    return computed_row(study, cell), read_so_far()


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _by_key(study: Study[Any, Cell]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for cell in study.cells():
        if found.setdefault(study.key(cell), cell) is not cell:
            raise StudyError(f"two cells of the study {study.name!r} are the same: {cell}")
    return found


def _missing(study: Study[Any, Cell], folder: StudyFolder, cells: Mapping[str, Cell]) -> list[Cell]:
    there = {key for key in cells if key in folder.rows and not study.again(folder.rows[key])}
    return [cell for key, cell in cells.items() if key not in there]


def _compute(
    study: Study[Any, Any], folder: StudyFolder, execution: Execution, cells: Sequence[Any]
) -> None:
    """Train the models that are missing, then compute cells; each row is kept as it comes."""
    models = study.missing_models()
    with Workers(execution.processes) as workers:
        if models:
            with execution.track("training", len(models)) as report:

                def note(read: Digests, count: int) -> None:
                    folder.hold_to(read)
                    report(count)

                workers.run([(_trained, study, model) for model in models], note)
        with execution.track("evaluating", len(cells)) as report:

            def keep(found: tuple[Row, Digests], count: int) -> None:
                row, read = found
                folder.hold_to(read)
                folder.add(row)
                report(count, study.label(row))

            workers.run([(_computed, study, cell) for cell in cells], keep)


def _write(study: Study[Any, Any], results: Mapping[str, Any], table: str) -> None:
    """Tables, results and report."""
    out = study.folder
    flat = Table([study.flat(row) for row in results["rows"]], study.columns)
    write_text(out / "rows.csv", flat.as_csv())
    if table == "parquet":
        content = flat.as_parquet(results["format"], results["grid"])
        write_bytes(out / "rows.parquet", content)
    write_json(out / "results.json", results)
    write_text(out / "report.html", study.page(results))
