"""Every study that is asked about data: what its folder keeps of it, and what it looks at first."""

import dataclasses

import pytest

from qvlm_qiskit.data.registry import read_so_far, reading_once
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.registry import STUDIES, find_study
from tests.data import miniatures

SMALL = {
    "ablation": {"variants": ("none",), "recipe": "tiny"},
    "blocks": {"blocks": ("qkan",), "device": "fake_manila"},
    "compare": {"variants": ("none",), "recipe": "tiny"},
    "denoise": {"kinds": ("none",)},
    "replacement": {"variants": ("relu",)},
    "robustness": {"variants": ("none",), "quick": True},
}


def of_data(name):
    """Whether a study is asked which data set it takes, by one name."""
    fields = {one.name: one.default for one in dataclasses.fields(find_study(name).options_type)}
    return "data" in fields and not isinstance(fields["data"], tuple)


@pytest.fixture
def place(tmp_path):
    there = tmp_path / "there"
    miniatures.image_folder(there, splits=("train", "test"))
    return there


def study(name, data, out):
    found = find_study(name)
    return found(found.options_type(data=data, **SMALL[name]), out)


def test_no_study_with_data_is_left_out():
    assert sorted(SMALL) == sorted(name for name in STUDIES.own if of_data(name))


@pytest.mark.parametrize("name", SMALL)
def test_both_splits_are_read_before_anything_is_computed(name, place, tmp_path):
    made = study(name, f"folder:{place}", tmp_path / "s")
    with reading_once():
        made.rehearse(list(made.cells()))
        (samples,) = read_so_far().values()
    assert {which.partition(",")[0] for which in samples} == {"train", "test"}
    assert all(which.endswith("seed 0") for which in samples)


@pytest.mark.parametrize("name", SMALL)
def test_the_whole_name_is_kept_and_data_that_has_gone_is_named(name, place, tmp_path, monkeypatch):
    monkeypatch.chdir(place.parent)
    by_whole, by_part = (
        study(name, f"folder:{data}", tmp_path / "s").stored_options() for data in (place, "there")
    )
    assert by_whole == by_part and by_part["data"] == f"folder:{place}"
    place.rename(tmp_path / "gone")
    for data in (str(place), "there"):
        with pytest.raises(InputError, match=f"^nothing at {data}: folder is read from"):
            study(name, f"folder:{data}", tmp_path / "s").stored_options()
