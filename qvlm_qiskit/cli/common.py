"""What several commands share: the console, tables, and the options of a backend."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from qvlm_qiskit.basics.computer.processes import is_first
from qvlm_qiskit.basics.foreign_text import shown, shown_json
from qvlm_qiskit.mitigations import TECHNIQUES

RunFolder = Annotated[Path, typer.Option("--run", help="Run folder of qvlm train or demo.")]
BackendName = Annotated[
    str, typer.Option("--backend", help="Where circuits run; qvlm backends lists the names.")
]
Shots = Annotated[int | None, typer.Option(help="Shots per circuit.", show_default=False)]
Precision = Annotated[
    float | None,
    typer.Option(
        help="Target standard error, instead of shots; 0: exact values of a noisy:* backend.",
        show_default=False,
    ),
]
Mitigation = Annotated[
    str | None,
    typer.Option(
        help="Joined by +, parameters in parentheses, readout+zne(scales=1,3): "
        f"{', '.join(TECHNIQUES.own)}. qvlm preflight compares those that a backend offers."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of compilation and sampling.", show_default=False)]
NoiseScale = Annotated[float, typer.Option(help="Factor on the noise of a noisy:* backend.")]
ErrorKinds = Annotated[
    str,
    typer.Option(
        help="Kinds of error that a noisy:* backend has: all, or some of readout, one-qubit, "
        "two-qubit, relaxation and crosstalk, joined by +."
    ),
]
Method = Annotated[
    str,
    typer.Option(
        help="How a noisy:* backend simulates: density (matrices, up to 10 qubits), aer (shots on "
        "Aer), auto (density where it can, else aer). How aer does: statevector, "
        "matrix_product_state."
    ),
]
MaxAgeDays = Annotated[
    float | None,
    typer.Option("--max-age-days", help="Refuse an older calibration.", show_default=False),
]
Level = Annotated[int, typer.Option(help="Optimisation level of the transpiler, 0 to 3.")]
LayoutTrials = Annotated[
    int | None,
    typer.Option(help="Compile with so many seeds and take the best.", show_default=False),
]
Tiles = Annotated[
    str,
    typer.Option(
        help="Places of the device where rows run at once: a number, auto or none "
        "(docs/backends.md).",
    ),
]
TileFactor = Annotated[
    float,
    typer.Option(help="--tiles auto: the largest ratio of a tile's error to the best one's."),
]
TileSpacing = Annotated[int, typer.Option(help="The fewest idle qubits between two tiles.")]
TileRepeats = Annotated[
    int,
    typer.Option(
        help="Rows of every call and circuit that are asked on all of its tiles, so that standard "
        "errors hold what differs between tiles."
    ),
]
Fractional = Annotated[
    bool,
    typer.Option(
        "--fractional",
        help="Use rx and rzz gates of any angle, where the machine has them (docs/backends.md).",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="statevector, noisy:*: a torch device; aer: cpu, gpu or auto.",
        show_default=False,
    ),
]
Batch = Annotated[
    int, typer.Option(help="Questions per forward pass; each pass is a job per block.")
]
MaxNewTokens = Annotated[int, typer.Option(help="Longest answer, in tokens.")]
Threads = Annotated[
    int, typer.Option(help="CPU threads of torch; small models are no faster with more than one.")
]
StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="QVLM_STORE",
        help="The ledger: a folder, or the URL of a PostgreSQL database. By default a folder of "
        "the user's.",
        show_default=False,
    ),
]
Blobs = Annotated[
    Path | None,
    typer.Option(
        envvar="QVLM_BLOBS",
        help="Folder of the ledger's files; needed with a database.",
        show_default=False,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--store-group",
        envvar="QVLM_GROUP",
        help="Share the ledger with this group of users; by default it is the user's alone, or as "
        "it was made.",
        show_default=False,
    ),
]
BudgetSeconds = Annotated[
    float | None,
    typer.Option(help="QPU seconds that all jobs together may take.", show_default=False),
]
BudgetExecutions = Annotated[
    int | None,
    typer.Option(help="Executions of all jobs together.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

DEFAULT_RUN = Path("runs/demo")
MAX_NEW_TOKENS = 16
"""As `qvlm_qiskit.recipes` has it, which is imported on demand only."""
NARROW = 8
"""Letters in a line of a table's column that is broken; fewer can't be read."""


def check_threads(count: int) -> None:
    """Refuse a number of threads that can't be.

    Raises:
        InputError: A count below 1, or above the machine's cores; torch ends the process where the
            system refuses it a thread.
    """
    from qvlm_qiskit.errors import InputError

    if count < 1:
        raise InputError(f"threads must be at least 1, got {count}")
    cores = os.cpu_count() or 1
    if count > cores:
        raise InputError(f"threads must be at most {cores}, the cores of this machine, got {count}")


def check_new_tokens(count: int) -> None:
    """Refuse answers without a token.

    Raises:
        InputError: A count below 1.
    """
    from qvlm_qiskit.errors import InputError

    if count < 1:
        raise InputError(f"an answer has at least 1 token, got {count}")


def use_threads(count: int) -> None:
    """Set torch's CPU threads.

    One is the default of all commands: with models of this size two threads gain nothing on an
    idle machine, and wait for each other up to 50 times as long on a busy one (docs/log.md).

    Raises:
        InputError: A count below 1.
    """
    check_threads(count)
    import torch

    torch.set_num_threads(count)


def open_machine(name: str, **options: Any) -> Any:
    """Open a backend; what it does otherwise than asked for is said on stderr."""
    from qvlm_qiskit.backends import open_backend
    from qvlm_qiskit.errors import FallbackWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)  # the notes say the same
        machine = open_backend(name, **options)
    for note in machine.notes:
        say(f"qvlm: backend {machine.name!r} {note}", err=True)
    return machine


def open_best(model: Any, **options: Any) -> Any:
    """The best of the account's machines for a model; all of them are printed on stderr."""
    from qvlm_qiskit.backends.choice import best_machine
    from qvlm_qiskit.backends.options import BackendOptions

    choice = best_machine(model, BackendOptions(**options))
    rows = [
        [
            one.name,
            "–" if one.success is None else f"{one.success:.2g}",
            "–" if one.queue is None else f"{one.queue:,}",
            "–" if one.seconds is None else f"{one.seconds:,.1f}",
            "–" if one.calibrated is None else one.calibrated[:10],
            "refused" if one.refused is not None else "chosen" if number == 0 else "",
        ]
        for number, one in enumerate(choice.candidates)
    ]
    columns = ("machine", ">success", ">waiting", ">QPU s", "calibrated", "")
    print_table("machines for these circuits", columns, rows, err=True)
    for note in choice.backend.notes:
        say(f"qvlm: backend {choice.backend.name!r} {note}", err=True)
    return choice.backend


def ledger_place(place: str | None) -> str:
    """Where the ledger is; without a place, the user's own."""
    if place is not None:
        return place
    from platformdirs import user_data_path

    return str(user_data_path("qvlm") / "jobs")


def open_store(
    place: str | None, blobs: Path | None, *, create: bool = False, group: str | None = None
) -> Any:
    """Open the ledger; without a place, the user's own.

    Raises:
        LedgerError: There is none yet, or it can't be used.
    """
    from qvlm_qiskit.errors import LedgerError
    from qvlm_qiskit.jobs import JobStore

    place = ledger_place(place)
    if not create and "://" not in place and not Path(place).exists():
        raise LedgerError(f"there is no ledger at {place}: qvlm submit makes one")
    return JobStore(place, blobs, create=create, group=group)


@contextmanager
def through_ledger(machine: Any) -> Iterator[Any]:
    """A machine that charges behind the user's ledger, so that nothing is lost or paid twice.

    Others stay as they are. A job that this process does not live to see is found again by the
    same command.
    """
    service = machine.job_service()
    if service is None or not service.charges:
        yield machine
        return
    from qvlm_qiskit.jobs import recorded_backend

    blobs = os.environ.get("QVLM_BLOBS")
    place = os.environ.get("QVLM_STORE")
    store = open_store(place, None if blobs is None else Path(blobs), create=True)
    say(f"qvlm: jobs on {machine.name} are kept in the ledger at {store.place}", err=True)
    recorded = recorded_backend(machine, store)
    try:
        yield recorded
    finally:
        recorded.device.worker.close()


def console() -> Console:
    """Progress and notes go to stderr; results go to stdout."""
    return Console(stderr=True, markup=False)


def say(text: Any, *, err: bool = False) -> None:
    """Print a line that may hold what others have written, in one of several processes."""
    # Not typer.echo: where a terminal takes ASCII only, it would be sent UTF-8 all the same.
    if is_first():
        print(shown(text), file=sys.stderr if err else sys.stdout, flush=True)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, err: bool = False
) -> None:
    """Print a table on stdout (with `err` on stderr), as wide as the terminal.

    Columns named with ">" are numbers; they, the first column and columns named with "=" are not
    broken, unless they alone are wider than the terminal. Nothing is ever cut off.
    """
    console = Console(file=sys.stderr if err else sys.stdout, markup=False)
    cells = [list(map(shown, row)) for row in rows]
    texts = [[name.lstrip("=>"), *(row[i] for row in cells)] for i, name in enumerate(columns)]
    whole = _whole_columns(columns, texts, console.width)
    table = Table(title=shown(title), title_justify="left", header_style="bold", expand=False)
    for index, column in enumerate(columns):
        table.add_column(
            texts[index][0],
            justify="right" if column.startswith(">") else "left",
            no_wrap=index in whole,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _whole_columns(
    columns: Sequence[str], texts: Sequence[Sequence[str]], width: int
) -> Collection[int]:
    """The columns that are not broken: of those that should not be, what the width allows.

    Broken are then first columns of several words, then names that are not the first column.
    """
    widths = [max(map(cell_len, column)) for column in texts]
    numbers = {i for i, name in enumerate(columns) if name.startswith(">")}
    others = {0} | {i for i, name in enumerate(columns) if name.startswith("=")}
    ids = {i for i in others if not any(" " in text for text in texts[i])}
    first = ids & {0}
    for chosen in (others | numbers, ids | numbers, first | numbers, first):
        least = [w if i in chosen else min(w, NARROW) for i, w in enumerate(widths)]
        if sum(least) + 3 * len(columns) + 1 <= width:
            return chosen
    return ()


def short(server_id: str | None) -> str:
    """The beginning of a job's id on its machine; ``qvlm jobs show`` has it all in the history."""
    if server_id is None:
        return "–"
    return server_id if len(server_id) <= 10 else f"{server_id[:9]}…"


def print_choices(choices: Sequence[Mapping[str, Any]]) -> None:
    """Print what an automatic mitigation tried for every circuit, and why it chose."""
    for choice in choices:
        rows = [
            (
                trial["mitigation"],
                "–" if trial["error"] is None else f"{trial['error']:.4f}",
                "–" if trial["error"] is None else f"{trial['standard_error']:.4f}",
                f"{trial['executions']:,}",
                f"{trial.get('per_run') or 0:,}",
                trial["note"],
            )
            for trial in choice["trials"]
        ]
        columns = (
            "mitigation",
            ">mean |error|",
            ">standard error",
            ">executions to try",
            ">a run",
            "not tried",
        )
        of = f" for {choice['circuit']}" if choice.get("circuit") else ""
        print_table(f"auto{of}: {choice['why']}", columns, rows)


def print_json(value: Any) -> None:
    """Print plain data on stdout; letters that it can't take are escaped."""
    letters = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    print(shown_json(value, ascii_only=not letters), flush=True)


def accuracy_row(label: str, record: Mapping[str, Any]) -> list[str]:
    """A row of an accuracy table."""
    return [
        label,
        f"{record['correct']}/{record['total']}",
        f"{record['accuracy']:.1%}",
        f"{record['low']:.1%} – {record['high']:.1%}",
    ]


ACCURACY_COLUMNS = ("evaluation", ">correct", ">accuracy", ">95 % interval")
