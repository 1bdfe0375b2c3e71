"""Kernels that are compiled again when a function of another file changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from qvlm_qiskit.quantum.statevector.cpu import jit as module
from qvlm_qiskit.quantum.statevector.cpu import sweeps

CALLEE = "from jit import jit\n\n\n@jit\ndef callee(x):\n    return {sign}x\n"
CALLER = (
    "import sys\n\nfrom callee import callee\nfrom jit import jit, on_disk\n\n\n"
    "@jit\ndef caller(x):\n    return 2.0 * callee(x)\n\n\n"
    "before = on_disk(caller)\nprint(before, caller(1.5))\n"
)


@pytest.fixture
def copied(tmp_path):
    """A folder of kernels of its own: this module, a kernel, and one that calls it."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    text = Path(module.__file__).read_text(encoding="utf-8")
    text = text.replace("files(__package__)", "Path(__file__).parent")
    text = text.replace("import hashlib\n", "import hashlib\nfrom pathlib import Path\n")
    (folder / "jit.py").write_text(text, encoding="utf-8")
    (folder / "caller.py").write_text(CALLER, encoding="utf-8")
    return folder


def called(folder, sign, **environment):
    """Whether the caller lay on disk, and what it says, in a new process."""
    callee = folder / "callee.py"
    callee.write_text(CALLEE.format(sign=sign), encoding="utf-8")
    os.utime(callee, (0, 0))  # so that neither its size nor its time tells that it has changed
    own = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    own["PYTHONDONTWRITEBYTECODE"] = "1"  # Python knows a changed file by these two alone
    ran = subprocess.run(
        [sys.executable, "caller.py"],
        cwd=folder,
        env={**own, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    kept, value = ran.stdout.split()
    return kept == "True", float(value)


@pytest.mark.slow
def test_a_changed_callee_is_compiled_into_its_callers(copied):
    assert called(copied, "+") == (False, 3.0)
    assert called(copied, "+") == (True, 3.0)
    assert called(copied, "-") == (False, -3.0)
    assert called(copied, "-") == (True, -3.0)
    assert list((copied / "__pycache__").glob("caller.caller-*.nbi"))


@pytest.mark.slow
def test_the_users_folder_is_used_and_python_runs_where_compiling_is_off(copied, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    assert called(copied, "+", NUMBA_CACHE_DIR=str(elsewhere)) == (False, 3.0)
    assert list(elsewhere.rglob("*.nbi"))
    assert not list(copied.rglob("*.nbi"))
    assert called(copied, "-", NUMBA_DISABLE_JIT="1") == (True, -3.0)


def test_the_digest_is_of_every_file_with_kernels_and_of_no_other(tmp_path):
    folder = Path(module.__file__).parent
    own = module.kernels_digest.__wrapped__()
    for source in sorted(folder.glob("*.py")):
        copy = tmp_path / source.stem
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        text = source.read_text(encoding="utf-8")
        (copy / source.name).write_text(text + "\n")
        kernels = "statevector.cpu.jit import" in text and source.name != "kernel_cache.py"
        expected = kernels or source.name in ("jit.py", "borrowed.py")
        assert (module.kernels_digest.__wrapped__(copy) != own) == expected, source.name


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled here")
def test_every_kernel_has_the_one_key():
    stamp = sweeps.backward._cache._cache_file._source_stamp
    assert stamp == sweeps.forward._cache._cache_file._source_stamp == module.kernels_digest()


def test_where_nothing_can_be_written_kernels_are_compiled_anew(monkeypatch):
    def refuse(function):
        raise RuntimeError("cannot cache function")

    monkeypatch.setattr(module, "_KernelCache", refuse)
    kernel = module.jit(lambda x: x + 1)
    assert kernel(1) == 2


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled here")
def test_a_kernel_within_others_has_no_way_in_and_is_compiled_once():
    @module.within
    def doubled(x):
        return 2 * x

    @module.within
    def raised(x):
        return doubled(x) + 1

    caller = numba.njit(lambda x: doubled(raised(x)))
    assert caller(3) == 14
    assert len(doubled.overloads) == len(raised.overloads) == 1
    assert caller(0.5) == 4.0
    for kernel in (doubled, raised):
        with pytest.raises(TypeError, match="called by kernels only"):
            kernel(3)
    assert not module.on_disk(doubled)
