import hashlib
import json

import pytest

from qvlm_qiskit.errors import (
    InputError,
)
from qvlm_qiskit.inference import (
    export_run,
    submit_evaluation,
)
from qvlm_qiskit.jobs.ledger.runs import submissions_of
from tests.inference.small import SMALL


def test_an_export_is_whole_and_its_sums_are_right(tiny_run, noisy, store, tmp_path):
    done = submit_evaluation(tiny_run, noisy, store, SMALL)
    again = submit_evaluation(tiny_run, noisy, store, SMALL)  # buys nothing itself
    folder = tmp_path / "kept"
    sums = export_run(store, again.id, folder)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {line.split("  ")[1] for line in lines} == files - {"SHA256SUMS"} == set(sums)
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest == sums[name]
    assert json.loads((folder / "result.json").read_text()) == again.result
    entries = json.loads((folder / "submissions.json").read_text())
    assert [e["id"] for e in entries] == [s.id for s in submissions_of(store, done)]
    for entry in entries:
        for kind, column in (("packages", "package"), ("raw", "raw")):
            (path,) = (folder / kind).glob(f"{entry['id']}.*")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry[column]
    with pytest.raises(InputError, match="exists already"):
        export_run(store, again.id, folder)


def test_no_export_takes_the_place_of_the_ledger(tiny_run, noisy, store):
    done = submit_evaluation(tiny_run, noisy, store, SMALL)
    places = (store.folder, store.blobs.folder, store.folder.parent, store.folder / "kept")
    for out in places:
        with pytest.raises(InputError, match="where the ledger is"):
            export_run(store, done.id, out, overwrite=True)
        assert store.blobs.get(submissions_of(store, done)[0].package)


def test_only_an_earlier_export_is_replaced(tiny_run, noisy, store, tmp_path):
    done = submit_evaluation(tiny_run, noisy, store, SMALL)
    for out in (tmp_path / "kept", tmp_path / "kept.zip"):
        export_run(store, done.id, out)
        export_run(store, done.id, out, overwrite=True)
    (tmp_path / "kept" / "raw" / "notes.txt").write_text("mine")
    (tmp_path / "other.zip").write_text("mine")
    (tmp_path / "empty").mkdir()
    export_run(store, done.id, tmp_path / "empty", overwrite=True)
    for out, name in ((tmp_path / "kept", "raw/notes.txt"), (tmp_path / "other.zip", "other.zip")):
        with pytest.raises(InputError, match=f"{name}, which no export has written"):
            export_run(store, done.id, out, overwrite=True)
    assert (tmp_path / "kept" / "raw" / "notes.txt").read_text() == "mine"
