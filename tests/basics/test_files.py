import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvlm_qiskit.basics.files import (
    Contents,
    check_new_folder,
    new_folder,
    only_one,
    write_json,
    write_text,
)
from qvlm_qiskit.errors import InputError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_whole_into_folders_that_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "π = 3.14…\n")
    assert path.read_bytes() == "π = 3.14…\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["text.txt"]


def test_text_replaces_an_older_file(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old, and longer than the new one")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["text.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text.txt"]


@settings(max_examples=40, deadline=None)
@given(value=PLAIN)
def test_json_comes_back_as_it_went(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), {1, 2}])
def test_what_json_does_not_know_is_refused_and_nothing_is_written(tmp_path, value):
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "value.json", {"value": [value]})
    assert names(tmp_path) == []


def test_a_new_folder_appears_when_it_is_filled(tmp_path):
    out = tmp_path / "deep" / "out"
    with new_folder(out, overwrite=False) as work:
        assert not out.exists()
        assert work.parent == out.parent
        (work / "file").write_text("content")
    assert (out / "file").read_text() == "content"
    assert stat.S_IMODE(out.stat().st_mode) == 0o755
    assert names(out.parent) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_block_leaves_nothing(tmp_path, error):
    with pytest.raises(error), new_folder(tmp_path / "out", overwrite=False) as work:
        (work / "half").write_text("half")
        raise error
    assert names(tmp_path) == []


def test_an_error_in_the_block_leaves_the_partial_folder_that_was_asked_for(tmp_path):
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    with pytest.raises(RuntimeError), new_folder(out, overwrite=False, partial=partial) as work:
        (work / "half").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["out.partial"]
    with new_folder(out, overwrite=False, partial=partial) as work:
        assert (work / "half").read_text() == "half"
    assert names(tmp_path) == ["out"]


OURS = Contents("one of ours", "old", ("old", "sub/*.txt", "deep/**"))


def filled(out):
    """A folder of ours."""
    for name in ("old", "sub/one.txt", "deep/a/b/c"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("old")
    return out


def test_overwriting_keeps_the_old_folder_until_the_new_one_is_whole(tmp_path, tree):
    out = filled(tmp_path / "out")
    before = tree(tmp_path)
    with pytest.raises(RuntimeError), new_folder(out, overwrite=True, holds=OURS) as work:
        (work / "new").write_text("half")
        assert (out / "old").read_text() == "old"
        raise RuntimeError
    assert tree(tmp_path) == before
    with new_folder(out, overwrite=True, holds=OURS) as work:
        (work / "new").write_text("whole")
    assert list(tree(tmp_path)) == ["out/", "out/new"]


@pytest.mark.parametrize(
    "name", ["mine", "sub/mine", "sub/one.txt/x", "sub/more/one.txt", "other/old", ".hidden"]
)
def test_a_folder_with_anothers_files_is_never_replaced(tmp_path, tree, name):
    out = filled(tmp_path / "out")
    if name == "sub/one.txt/x":
        (out / "sub/one.txt").unlink()
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(InputError, match=f"holds {name}, which"), new_folder(out, True, holds=OURS):
        pytest.fail("the block was entered")
    assert tree(tmp_path) == before


def test_a_link_in_a_folder_of_ours_is_anothers(tmp_path):
    out = filled(tmp_path / "out")
    (out / "sub" / "two.txt").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"holds sub/two\.txt"):
        check_new_folder(out, True, OURS)


@pytest.mark.parametrize("holds", [OURS, None])
def test_a_folder_of_something_else_is_never_replaced(tmp_path, holds):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.txt").write_text("mine")
    with pytest.raises(InputError, match="so it is not replaced"):
        check_new_folder(tmp_path, True, holds)
    (tmp_path / "sub" / "one.txt").unlink()
    (tmp_path / "sub").rmdir()
    check_new_folder(tmp_path, True, holds)  # an empty one is nobody's


def test_a_folder_whose_mark_alone_was_begun_is_nobodys(tmp_path):
    (tmp_path / f".{OURS.mark}.x7dq").write_text("what a killed process left of it")
    check_new_folder(tmp_path, True, OURS)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / f".{OURS.mark}.x7dq").write_text("mine")
    with pytest.raises(InputError, match="so it is not replaced"):
        check_new_folder(tmp_path, True, OURS)


def test_a_mark_has_to_be_of_the_right_format(tmp_path):
    holds = Contents("one of ours", "a.json", ("a.json",), form="ours")
    for text in ("{", "[]", '{"format": "theirs"}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match="is not one of ours"):
            check_new_folder(tmp_path, True, holds)
    (tmp_path / "a.json").write_text('{"format": "ours"}')
    (tmp_path / ".a.json.x7dq").write_text("what a killed process left of it")
    check_new_folder(tmp_path, True, holds)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_meanwhile_is_kept_and_so_is_the_new_folder(tmp_path, overwrite):
    out = tmp_path / "out"
    with (
        pytest.raises(InputError, match="the new folder stays at") as refused,
        new_folder(out, overwrite, holds=OURS) as work,
    ):
        (work / "new").write_text("new")
        out.mkdir()
        (out / "theirs").write_text("theirs")
    assert (out / "theirs").read_text() == "theirs"
    assert str(work) in str(refused.value)
    assert (work / "new").read_text() == "new"


def test_a_folder_is_held_once_and_let_go(tmp_path):
    folder, moved = tmp_path / "a", tmp_path / "b"
    with only_one(folder, moved):
        (folder / "file").write_text("x")
        for _ in range(2):
            with pytest.raises(InputError, match="another process"), only_one(folder):
                pytest.fail("the block was entered")
        folder.rename(moved)
        with only_one(folder):  # a new one of that name
            assert names(tmp_path) == ["a", "b"]
    assert names(tmp_path) == ["b"]
    assert names(moved) == ["file"]


def test_a_lock_that_a_killed_process_left_holds_nobody_up(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".lock").touch()
    check_new_folder(tmp_path / "a", True)
    with only_one(tmp_path / "a"):
        pass
    assert names(tmp_path) == []


def test_a_folder_that_exists_is_refused_before_any_work(tmp_path, tree):
    out = tmp_path / "out"
    out.mkdir()
    before = tree(tmp_path)
    with pytest.raises(InputError, match="--overwrite"), new_folder(out, overwrite=False):
        pytest.fail("the block was entered")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_or_a_link_is_never_replaced_by_a_folder(tmp_path, overwrite):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "dangling"):
        with pytest.raises(InputError, match="is not a folder"):
            check_new_folder(tmp_path / name, overwrite)


def test_a_place_below_a_file_is_refused(tmp_path, tree):
    (tmp_path / "file").write_text("mine")
    before = tree(tmp_path)
    for place in ("file/out", "file/deep/out"):
        with pytest.raises(InputError, match="can't write to"):
            check_new_folder(tmp_path / place, overwrite=True)
    assert tree(tmp_path) == before


def test_a_name_that_no_disk_takes_is_refused(tmp_path):
    with pytest.raises(InputError):
        check_new_folder(tmp_path / ("n" * 300), overwrite=False)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_file_system_that_takes_no_folders_is_refused():
    with pytest.raises(InputError), new_folder(Path("/proc/nothing/out"), overwrite=False):
        pytest.fail("the block was entered")


def test_a_free_place_is_accepted_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_new_folder(Path("new"), overwrite=False)
    check_new_folder(tmp_path / "a" / "b" / "c", overwrite=False)
    assert names(tmp_path) == []
