"""Names that are known before anything is imported."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from qvlm_qiskit.basics import registry as module
from qvlm_qiskit.basics.registry import Registry, RegistryError
from qvlm_qiskit.errors import InputError, UnknownNameError


@pytest.fixture
def registry():
    return Registry("command", "qvlm_qiskit.none", "cli", besides={"main", "common"})


@pytest.fixture
def pretend(monkeypatch):
    """Makes entry points of another distribution, name → object reference."""

    def make(**points):
        found = [EntryPoint(name, value, "group") for name, value in points.items()]
        monkeypatch.setattr(module, "entry_points", lambda group: found)

    return make


def test_a_name_is_a_file_and_known_without_importing_it():
    script = (
        "import sys; from qvlm_qiskit.basics.registry import Registry; "
        "names = Registry('set', 'qvlm_qiskit.none', 'studies').names(); "
        "assert 'noise' in names, names; "
        "heavy = {'numpy', 'torch', 'qiskit', 'qvlm_qiskit.studies'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_holds_no_item_has_no_name(registry):
    assert "evaluate" in registry.names()
    assert {"main", "common", "__init__"}.isdisjoint(registry.names())


def test_an_unknown_name_is_answered_with_the_nearest(registry):
    with pytest.raises(UnknownNameError, match="unknown command 'evalute': did you mean 'evalua"):
        registry.load("evalute")


def test_a_module_without_the_item_is_said(registry):
    with pytest.raises(RegistryError, match=r"qvlm_qiskit\.cli\.evaluate holds no command"):
        registry.load("evaluate")


def test_an_entered_item_is_given_again_and_its_name_is_taken(registry):
    item = registry.enter("mine", object())
    assert registry.load("mine") is item
    assert registry.enter("mine", item) is item
    with pytest.raises(InputError, match="taken"):
        registry.enter("mine", object())


def test_an_entry_point_is_loaded_when_it_is_asked_for(registry, pretend):
    pretend(foreign="math:tau")
    assert "foreign" in registry.names()
    assert registry.load("foreign") == pytest.approx(6.283185307)


def test_an_entry_point_cannot_take_a_name_of_this_package(registry, pretend):
    pretend(evaluate="math:tau")
    with pytest.raises(RegistryError, match="holds no"):
        registry.load("evaluate")


@pytest.mark.parametrize("value", ["no_such_module:x", "math:no_such_name"])
def test_a_broken_entry_point_is_named(registry, pretend, value):
    pretend(broken=value)
    with pytest.raises(RegistryError, match=f"'broken' .{value}. can't be loaded"):
        registry.load("broken")
