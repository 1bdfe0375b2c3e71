"""Data sets by name, this package's own and another distribution's."""

import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from qvlm_qiskit.basics import registry
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.data import DigitCanvases, open_data
from qvlm_qiskit.data.registry import find_data, read_again, read_so_far, reading_once
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import DATA_SETS
from tests.conftest import forgetting
from tests.data import miniatures

# The whole file of a foreign data set.
FOREIGN = '''
"""Black and white pictures."""
from PIL import Image
from qvlm_qiskit.data import Sample, data_set

ANSWERS = ("black", "white")

@data_set("shades", vocabulary=lambda: ["which colour?", *ANSWERS])
def shades(split, size, seed):
    numbers = range(seed, seed + (size or 10))
    return [Sample(Image.new("L", (8, 8), 255 * (i % 2)), "colour", "which colour?",
                   ANSWERS[i % 2], (f"{split} {i}",)) for i in numbers]
'''


@pytest.fixture
def foreign(monkeypatch, tmp_path):
    """Another distribution's data set, and an entry point that leads to none."""
    (tmp_path / "foreign_shades.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("shades", "foreign_shades:shades", "qvlm_qiskit.data"),
        EntryPoint("wrong", "math:tau", "qvlm_qiskit.data"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with forgetting(DATA_SETS):
        yield
    sys.modules.pop("foreign_shades", None)


def test_this_packages_own_are_files_of_the_folder():
    assert list(DATA_SETS.own) == [
        "digits", "captions", "diffusiondb", "folder", "food-101", "grocery", "hub", "nlvr",
        "shuffled", "single-digits", "table", "vqa-v2",
    ]  # fmt: skip
    assert find_data("digits").name == "digits"


def test_digits_are_opened_by_name():
    opened, made = open_data("digits", "test", 6, seed=3), DigitCanvases("test", 6, 3)
    for one, other in zip(opened, made, strict=True):
        assert (one.question, one.answer, one.sources) == (
            other.question, other.answer, other.sources,
        )  # fmt: skip
        np.testing.assert_array_equal(np.asarray(one.image), np.asarray(other.image))


@pytest.mark.parametrize(("split", "size"), [("train", 1347), ("test", 450)])
def test_without_a_size_there_are_as_many_canvases_as_digit_images(split, size):
    assert len(open_data("digits", split)) == size


def test_the_questions_are_known_before_a_sample_is():
    known = find_data("digits").questions
    assert known["caption"] == "describe the image."
    assert {s.kind: s.question for s in open_data("digits", "train", 20)} == known


@pytest.mark.parametrize(
    ("name", "split", "nearest"), [("digit", "test", "digits"), ("digits", "tests", "test")]
)
def test_an_unknown_name_or_split_is_answered_with_the_nearest(name, split, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        open_data(name, split)


def test_no_samples_are_no_data_set():
    with pytest.raises(InputError, match="at least 1 sample, got 0"):
        open_data("digits", "test", 0)


def test_a_foreign_data_set_is_opened_by_its_entry_point(foreign):
    assert "shades" in DATA_SETS.names()
    assert [s.answer for s in open_data("shades", "test", 3, seed=1)] == ["white", "black", "white"]
    words = " ".join(find_data("shades").vocabulary())
    assert all(s.answer in words for s in open_data("shades", "train"))


def test_an_entry_point_that_leads_to_something_else_is_named(foreign):
    with pytest.raises(RegistryError, match="'wrong' leads to no data set"):
        open_data("wrong", "test")


def test_what_has_been_read_is_read_once_for_as_long_as_that_is_asked_for(foreign):
    def opened(split="test", size=2, seed=0):
        return open_data("shades", split, size, seed)

    assert opened() is not opened()
    with reading_once():
        first = opened()
        assert opened() is first
        others = [opened("train"), opened(size=3), opened(seed=1)]
        assert len({id(one) for one in (first, *others)}) == 4
        assert [len(one) for one in others] == [2, 3, 2]
        assert find_data("shades") is find_data("shades")
        with pytest.raises(UnknownNameError, match="shades"):
            find_data("shadows")
        with pytest.raises(InputError, match="at least 1 sample"):
            opened(size=0)
    assert opened() is not first


def test_samples_that_were_read_have_a_digest_by_which_they_are_opened_again(tmp_path):
    miniatures.image_folder(tmp_path / "there", each=6)
    name = f"folder:{tmp_path / 'there'}"
    assert read_so_far() == {}
    with reading_once():
        first = open_data(name, "train", 4, 2)
        open_data(name, "test")
        open_data("digits", "test", 2)
        known = read_so_far()
        assert list(known) == [name]
        assert list(known[name]) == ["train, 4, seed 2", "test, all, seed 0"]
        assert known[name]["train, 4, seed 2"] == first.digest[:16]
    with reading_once():
        for which in known[name]:
            read_again(name, which)
        assert read_so_far() == known
    with pytest.raises(InputError, match="'train' names no samples of digits"):
        read_again("digits", "train")
