from importlib.metadata import EntryPoint

import pytest

from qvlm_qiskit.basics import registry
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.grid_study import Study
from qvlm_qiskit.studies.noise import NoiseStudy
from qvlm_qiskit.studies.registry import STUDIES, find_study, headline
from tests.cli.test_help import COMMANDS


@pytest.mark.parametrize("name", STUDIES.own)
def test_every_study_of_the_package_can_be_loaded_and_is_described(name):
    assert issubclass(find_study(name), Study)
    assert len(headline(name).split()) > 3


def test_names_are_the_studies_alone():
    assert list(STUDIES.own) == COMMANDS["study"]
    assert find_study("noise") is NoiseStudy


def test_an_unknown_study_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown study 'nois': did you mean 'noise'"):
        find_study("nois")


def test_a_foreign_study_is_described_by_its_distribution(coins):
    assert find_study("coins") is coins.Coins
    assert headline("coins") == "A study of acme-qvlm."


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("math:tau", "is no subclass of Study"),
        ("acme_qvlm.coins:Coins", "'wrong' calls itself 'coins'"),
        ("no_such_module:x", "can't be loaded"),
    ],
)
def test_an_entry_point_to_something_else_is_named(coins, monkeypatch, value, says):
    found = [EntryPoint("wrong", value, "qvlm_qiskit.studies")]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)
    with pytest.raises(RegistryError, match=says):
        find_study("wrong")
