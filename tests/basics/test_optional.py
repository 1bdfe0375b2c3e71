"""Optional packages: not installed, or broken."""

import sys

import pytest

from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import MissingDependencyError

BROKEN = {
    "no_library": ("raise ImportError('libfoo.so: cannot open')", ImportError, "libfoo.so"),
    "no_package": ("import what_it_needs_itself", ModuleNotFoundError, "what_it_needs_itself"),
    "wrong": ("1 / 0", ZeroDivisionError, "division"),
}


def test_what_is_not_installed_is_said_with_its_extra():
    says = r"^a table needs no-such-thing: install it with pip install 'qvlm-qiskit\[parquet\]'$"
    with (
        pytest.raises(MissingDependencyError, match=says),
        optional("parquet", "a table", no_such_thing="no-such-thing", pyarrow="pyarrow"),
    ):
        import no_such_thing.inside  # noqa: F401


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_raised_as_it_is(tmp_path, monkeypatch, name):
    content, error, says = BROKEN[name]
    (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(error, match=says) as caught, optional("all", "a table", **{name: name}):
        __import__(name)
    assert not isinstance(caught.value, MissingDependencyError)
