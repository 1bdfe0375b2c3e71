import inspect
import pickle
import re
from pathlib import Path

import pytest

from qvlm_qiskit import errors
from qvlm_qiskit.errors import (
    BEFORE,
    InputError,
    JobPending,
    MissingDependencyError,
    QVLMError,
    UnknownNameError,
)

CLASSES = {
    name: item
    for name, item in vars(errors).items()
    if inspect.isclass(item)
    and item.__module__ == errors.__name__
    and not issubclass(item, Warning)
}


def drawn_tree():
    """Child → parent, read from the drawing in the module's docstring."""
    parents, path = {}, {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"^( {4}|[│ ]*[├└]── )[ ]*(\w+Error|JobPending)\b", line)
        if not found:
            continue
        depth = line.index(found[2]) // 4
        path[depth] = found[2]
        parents[found[2]] = path.get(depth - 1)
    return parents


def test_the_drawing_is_the_tree():
    drawn = drawn_tree()
    assert set(drawn) == set(CLASSES)
    for name, item in CLASSES.items():
        if item is not QVLMError:
            assert item.__bases__[0].__name__ == drawn[name], name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_is_one_of_ours_and_says_what_it_is(name):
    assert issubclass(CLASSES[name], QVLMError)
    assert CLASSES[name].__doc__


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("InputError", ValueError),
        ("CircuitError", ValueError),
        ("NoiseModelError", ValueError),
        ("BackendError", RuntimeError),
        ("LedgerError", RuntimeError),
        ("MissingDependencyError", ImportError),
    ],
)
def test_pythons_own_class_catches_it_too(name, base):
    assert issubclass(CLASSES[name], base)


@pytest.mark.parametrize(
    "error",
    [
        InputError("no such file"),
        UnknownNameError("backend", "aar", ["aer", "noisy"], "Or a path."),
        MissingDependencyError("datasets", "data", "a data set of the Hub"),
        JobPending("waiting", ["s-1", "s-2"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_another_process_is_what_it_was(error):
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.__dict__) == (str(error), error.__dict__)


def test_an_unknown_name_says_what_arrived_the_nearest_and_what_is_known():
    error = UnknownNameError("backend", "aerr", ["aer", "statevector"], "Look at the list.")
    assert str(error) == (
        "unknown backend 'aerr': did you mean 'aer'? (known: aer, statevector). Look at the list."
    )
    assert (error.kind, error.name, error.known) == ("backend", "aerr", ["aer", "statevector"])
    assert isinstance(error, InputError)


def test_an_unknown_name_far_from_all_names_suggests_none():
    message = str(UnknownNameError("recipe", "xyz", ["tiny", "small"]))
    assert message == "unknown recipe 'xyz' (known: tiny, small)"
    assert str(UnknownNameError("thing", "x", [])) == "unknown thing 'x'"


def test_a_long_list_of_names_is_cut_and_kept():
    names = [f"name{i}" for i in range(30)]
    error = UnknownNameError("thing", "?", iter(names))
    assert "name11, …" in str(error)
    assert "name12" not in str(error)
    assert error.known == names


@pytest.mark.parametrize("version", [(3, 13), (3, 14)])
def test_a_package_that_this_python_can_not_have_is_not_said_to_be_installed(monkeypatch, version):
    monkeypatch.setattr("sys.version_info", (*version, 1, "final", 0))
    message = str(MissingDependencyError("mitiq", "mitigation", "extrapolation"))
    assert message == (
        f"extrapolation needs mitiq: this is Python {version[0]}.{version[1]}, for which there is "
        "no mitiq: use one before 3.13"
    )
    assert "pip install" in str(MissingDependencyError("pyarrow", "parquet", "a table"))


def test_the_pythons_without_a_package_are_those_that_its_extra_leaves_out():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert BEFORE == {"mitiq": (3, 13)}
    assert "mitiq>=1.1.0; python_version < '3.13'" in project


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("sys.version_info", (3, 12, 1, "final", 0))
    message = str(MissingDependencyError("mitiq", "mitigation", "extrapolation"))
    assert message == (
        "extrapolation needs mitiq: install it with pip install 'qvlm-qiskit[mitigation]'"
    )
