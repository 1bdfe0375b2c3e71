import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import Ledger

KEY = "ab" * 32


def key_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=25, deadline=None)
@given(values=hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)))
def test_round_trip_is_exact(tmp_path_factory, values):
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    ledger.store(KEY, values, -values, {"note": "ΔE"})
    stored = Ledger(ledger.path).load(KEY)
    assert stored.evs.tobytes() == values.tobytes()
    assert stored.evs.shape == stored.stds.shape == values.shape
    assert stored.record["note"] == "ΔE"
    assert stored.record["schema"] == 1


def test_entries_list_the_records(tmp_path):
    ledger = Ledger(tmp_path / "new" / "ledger")
    keys = sorted(key_of(text) for text in "abc")
    for number, key in enumerate(keys):
        ledger.store(key, [number], [0.1], {"number": number})
    assert ledger.keys() == keys
    assert [record["number"] for record in ledger.entries()] == [0, 1, 2]
    assert keys[0] in ledger
    assert key_of("d") not in ledger
    assert "../escape" not in ledger


def test_the_first_of_two_writers_wins(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.store(KEY, [1.0], [0.1], {})
    assert ledger.store(KEY, [2.0], [0.1], {}).evs.tolist() == [1.0]
    assert [item.name for item in tmp_path.iterdir()] == [KEY]


def test_a_broken_off_write_leaves_no_entry(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(LedgerError, match="disk full"):
        ledger.store(KEY, [1.0], [0.1], {})
    monkeypatch.undo()
    assert ledger.keys() == []
    assert list(tmp_path.iterdir()) == []


def damage_data(folder):
    content = bytearray((folder / "result.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "result.npz").write_bytes(content)


def change_record(folder, **changes):
    record = json.loads((folder / "record.json").read_text())
    record.update(changes)
    (folder / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_data, "checksum"),
        (lambda folder: (folder / "result.npz").unlink(), "can't be read"),
        (lambda folder: (folder / "record.json").unlink(), "can't be read"),
        (lambda folder: (folder / "record.json").write_text("{"), "no JSON"),
        (lambda folder: (folder / "record.json").write_bytes(b"\xff\xfe\xff"), "no JSON"),
        (lambda folder: change_record(folder, key="cd" * 32), "another key"),
        (lambda folder: change_record(folder, schema=2), "schema 2"),
        (lambda folder: change_record(folder, shape=[7]), "shape"),
    ],
)
def test_damage_is_found(tmp_path, damage, says):
    ledger = Ledger(tmp_path)
    ledger.store(KEY, [1.0, 2.0], [0.1, 0.1], {})
    damage(tmp_path / KEY)
    with pytest.raises(LedgerError, match=says):
        ledger.load(KEY)


def test_pickled_arrays_are_never_read(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.store(KEY, [1.0], [0.1], {})
    path = tmp_path / KEY / "result.npz"
    np.savez(path, evs=np.array([object()], dtype=object), stds=np.array([0.1]))
    change_record(tmp_path / KEY, data_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(LedgerError, match="can't be read"):
        ledger.load(KEY)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("short", [1.0], [0.1], {}), "no ledger key"),
        ((KEY, [1.0], [0.1, 0.2], {}), "shape"),
        ((KEY, [1.0], [0.1], {"schema": 3}), "own"),
        ((KEY, [1.0], [0.1], {"x": object()}), "JSON"),
        ((KEY, [1.0], [0.1], {"x": float("nan")}), "JSON"),
    ],
)
def test_impossible_entries_are_refused(tmp_path, arguments, says):
    ledger = Ledger(tmp_path)
    with pytest.raises(LedgerError, match=says):
        ledger.store(*arguments)
    assert ledger.keys() == []


def test_missing_entries_and_impossible_folders_are_errors(tmp_path):
    with pytest.raises(LedgerError, match="no entry"):
        Ledger(tmp_path).load(KEY)
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="as a ledger"):
        Ledger(tmp_path / "file")
