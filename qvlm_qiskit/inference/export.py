"""A run as files that can be kept, read and checked without this package.

run.json          the request, its state, its result
result.json       the result alone
submissions.json  every job that answered a row: its columns, rows and history
packages/ID.zip   what was sent (`backends.pubs.package` describes the format)
raw/ID.bin        what the machine sent back, byte for byte
SHA256SUMS        of all these, for ``sha256sum -c SHA256SUMS``
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.files import Contents, check_new_folder, new_folder, write_json, write_text
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.jobs import JobStore, Submission
from qvlm_qiskit.jobs.ledger.runs import JobRun, load_run, submissions_of

SUMS = "SHA256SUMS"

CONTENTS = Contents(
    kind="an exported run",
    mark=SUMS,
    files=(SUMS, "run.json", "result.json", "submissions.json", "packages/*.zip", "raw/*.bin"),
)


def export_run(
    store: JobStore, identifier: str, out: Path, *, overwrite: bool = False
) -> dict[str, str]:
    """Write a run's record, packages and raw results into a folder, or a ZIP file.

    Args:
        store: The ledger.
        identifier: The run's id, or the beginning of it.
        out: A new folder; or a file that ends in ``.zip``.
        overwrite: Replace it.

    Returns:
        SHA-256 of every file, by its path in the folder.

    Raises:
        InputError: The place is taken, is the ledger's own, or holds something else than an export.
        LedgerError: A package or raw result in the ledger is damaged.
    """
    run = load_run(store, identifier)
    _check_place(out, store, overwrite)
    if out.suffix != ".zip":
        with new_folder(out, overwrite, holds=CONTENTS) as folder:
            return _fill(folder, store, run)
    check_new_folder(out.with_name(f".{out.name}"), True)  # whether the place can be written to
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already; choose another --out or pass --overwrite")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        folder, archive = Path(work) / run.id, Path(work) / out.name
        folder.mkdir()
        sums = _fill(folder, store, run)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                packed.write(path, Path(run.id) / path.relative_to(folder))
        with archive.open("rb") as handle:
            os.fsync(handle.fileno())
        archive.replace(out)
    return sums


def _check_place(out: Path, store: JobStore, overwrite: bool) -> None:
    """Refuse to replace anything but an earlier export: least of all the ledger.

    Raises:
        InputError: The ledger is there, or files that no export has written.
    """
    place = out.resolve()
    for folder in (store.folder.resolve(), store.blobs.folder.resolve()):
        if place == folder or place in folder.parents or folder in place.parents:
            raise InputError(f"{out} is where the ledger is; choose another --out")
    if not (overwrite and out.exists()):
        return
    try:
        names, sums = _content(out)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError):
        names, sums = {out.name}, ""
    listed = {line.partition("  ")[2] for line in sums.splitlines()} | {SUMS}
    if strange := sorted(names - listed):
        raise InputError(
            f"{out} holds {strange[0]}, which no export has written: it is not replaced; choose "
            "another --out"
        )


def _content(out: Path) -> tuple[set[str], str]:
    """The files in an export, by their path in its folder, and what its SHA256SUMS says."""
    if out.is_dir():
        files = {str(p.relative_to(out)) for p in out.rglob("*") if not p.is_dir()}
        return files, (out / SUMS).read_text(encoding="utf-8") if SUMS in files else ""
    with zipfile.ZipFile(out) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        return set(names), archive.read(names[SUMS]).decode() if SUMS in names else ""


def submissions_behind(store: JobStore, run: JobRun) -> list[Submission]:
    """All submissions of a run, and those of others that answered its rows; the oldest first."""
    found = {s.id: s for s in submissions_of(store, run)}
    for identifier in (run.result or {}).get("costs", {}).get("submissions", ()):
        found.setdefault(identifier, store.submission(identifier))
    return sorted(found.values(), key=lambda s: (s.created_at, s.id))


def described(store: JobStore, submission: Submission) -> dict[str, Any]:
    """A submission with its history, as plain data for JSON."""
    history = [asdict(event) for event in store.history(submission.id)]
    return {**asdict(submission), "about": dict(submission.about), "history": history}


def _fill(folder: Path, store: JobStore, run: JobRun) -> dict[str, str]:
    submissions = submissions_behind(store, run)
    write_json(folder / "run.json", asdict(run))
    if run.result is not None:
        write_json(folder / "result.json", dict(run.result))
    entries = []
    for one in submissions:
        _copy(store, one.package, folder / "packages" / f"{one.id}.zip")
        if one.raw is not None:
            _copy(store, one.raw, folder / "raw" / f"{one.id}.bin")
        rows = [
            {
                "key": row.key,
                "pub": row.pub,
                "position": row.position,
                "evs": None if row.evs is None else row.evs.tolist(),
                "stds": None if row.stds is None else row.stds.tolist(),
            }
            for row in store.rows_of(one.id)
        ]
        entries.append({**described(store, one), "rows_bought": rows})
    write_json(folder / "submissions.json", entries)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    write_text(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return sums


def _copy(store: JobStore, blob: str, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(store.blobs.get(blob))
