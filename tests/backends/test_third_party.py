"""Backends of other distributions, which are really installed, into a folder on sys.path."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qvlm_qiskit.backends import list_backends, open_backend
from qvlm_qiskit.errors import BackendError, InputError, MitigationError, UnknownNameError

DOCS = (Path(__file__).parents[2] / "docs" / "backends.md").read_text(encoding="utf-8")
GUIDE = DOCS.split("## Adding a backend")[1].split("\n## ")[0]


def documented(language):
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    return block


# The page's example, with more entry points, most of them broken.
PROJECT = f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-machines"
version = "1.0"

[tool.setuptools]
py-modules = ["acme_machines", "acme_broken"]

{documented("toml")}
"acme:" = "acme_machines:open_numbered"
acme_gone = "acme_broken:open_gone"
acme_missing = "acme_machines:no_such_name"
acme_number = "acme_machines:NUMBER"
acme_wrong = "acme_machines:open_wrong"
aer = "acme_machines:open_acme"
"""
MODULE = f"""
{documented("python")}

NUMBER = 5


def open_numbered(name, options):
    return Backend(name, "exact", int(name.removeprefix("acme:")), options, StatevectorEstimator())


def open_wrong(name, options):
    return "a machine"
"""
BROKEN = "raise RuntimeError('its licence has run out')"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that pip installed the distribution into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name, text in {
        "pyproject.toml": PROJECT,
        "acme_machines.py": MODULE,
        "acme_broken.py": BROKEN,
    }.items():
        (source / name).write_text(text, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run([*pip, *options, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def acme(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    yield
    for name in ("acme_machines", "acme_broken"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("acme")
def test_a_distribution_adds_a_backend_and_a_prefix():
    backend = open_backend("acme", seed=3)
    assert (backend.name, backend.num_qubits, backend.options.seed) == ("acme", 7, 3)
    assert open_backend("acme:12").num_qubits == 12
    rows = {row.name: row for row in list_backends()}
    assert rows["acme"].kind == rows["acme:"].kind == "third party"
    assert "acme_machines:open_acme" in rows["acme"].what


@pytest.mark.usefixtures("acme")
def test_what_is_broken_is_listed_by_name_and_hides_nothing():
    rows = {row.name: row for row in list_backends() if row.kind == "broken"}
    assert set(rows) == {"acme_gone", "acme_missing", "acme_number", "aer"}
    assert "its licence has run out" in rows["acme_gone"].what
    assert "no_such_name" in rows["acme_missing"].what
    assert "not callable" in rows["acme_number"].what
    assert "taken" in rows["aer"].what
    assert {"fake_torino", "acme"} <= {row.name for row in list_backends()}


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("name", ["acme_gone", "acme_missing", "acme_number", "acme_wrong"])
def test_what_is_broken_is_named_when_it_is_opened(name):
    with pytest.raises(BackendError, match=name):
        open_backend(name)


@pytest.mark.usefixtures("acme")
def test_the_usual_refusals_hold_for_third_parties_too():
    with pytest.raises(InputError, match="'acme' takes no option shots="):
        open_backend("acme", shots=5)
    with pytest.raises(MitigationError, match="'acme' offers no mitigation"):
        open_backend("acme", mitigation="zne")
    with pytest.raises(UnknownNameError, match="acme_gone"):
        open_backend("acme_gon")


@pytest.mark.usefixtures("acme")
def test_own_names_are_not_replaced():
    assert open_backend("aer").compiler is not None


def test_without_the_distribution_its_names_are_unknown():
    with pytest.raises(UnknownNameError):
        open_backend("acme")
