"""How kernels are compiled and kept on disk: all of a folder under one key.

Numba compiles a kernel again when its own file has changed, but not when a function has that it
calls in another file; the machine code of the old one would go on running. So the key of every
kernel is a digest of all files in its folder that hold kernels, and of this one.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

_OPTIONS = {
    "fastmath": True,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    # kernels are called from Python and from each other, never from C
    "no_cfunc_wrapper": True,
}

_SHARED = ("jit.py", "borrowed.py", "parameters.py")


@cache
def kernels_digest(folder: Path = Path(__file__).parent) -> str:
    """The SHA-256 (hex) of a folder's sources that hold kernels, with names.

    Besides of those here that other folders' kernels are made with, of which this file is one.
    """
    digest = hashlib.sha256()
    shared = (source for source in Path(__file__).parent.glob("*.py") if source.name in _SHARED)
    sources = {source.name: source for source in (*shared, *folder.glob("*.py"))}
    for name, source in sorted(sources.items()):
        text = source.read_bytes()
        if b"\n@jit" in text or b"\n@inlined" in text or name in _SHARED:
            digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def jit(function: Callable[..., Any]) -> Any:
    """A kernel: compiled when it is first called, unless it lies on disk under today's key.

    It lies where Numba puts it: in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache
    folder. Where none of these can be written to, every process compiles anew. With
    ``NUMBA_DISABLE_JIT`` it is the Python function.
    """
    return _kept(function, _OPTIONS)


def jit_for_any_number(function: Callable[..., Any]) -> Any:
    """As :func:`jit`, for values that may be infinite or NaN: a NaN stays one.

    ``fastmath`` as a whole promises the compiler that there are none.
    """
    return _kept(function, {**_OPTIONS, "fastmath": {"reassoc", "contract", "arcp", "nsz"}})


def jit_into_callers(function: Callable[..., Any]) -> Any:
    """As :func:`jit_for_any_number`, and part of whatever kernel calls it.

    A call hands over seven numbers per array, which takes longer than a short loop.
    """
    options = {**_OPTIONS, "fastmath": {"reassoc", "contract", "arcp", "nsz"}}
    return _kept(function, {**options, "inline": "always"})


def inlined(function: Callable[..., Any]) -> Any:
    """A kernel that becomes a part of every kernel that calls it, once that is compiled.

    Handing a plan over, some hundred words on the stack, takes longer than what a small one does.
    """
    return _kept(function, {**_OPTIONS, "forceinline": True})


def _kept(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    kernel = njit(**options)(function)
    if kernel is not function:
        try:
            kernel._cache = _KernelCache(function)  # noqa: SLF001  (as its enable_caching does)
        except RuntimeError:  # what Numba says where no folder can be written to
            return kernel
    return kernel


def on_disk(kernel: Any) -> bool:
    """Whether some form of a kernel lies on disk under today's key, or needs no compiling."""
    kept = getattr(kernel, "_cache", None)
    if isinstance(kept, _KernelCache):
        return bool(kept._cache_file._load_index())  # noqa: SLF001
    return not hasattr(kernel, "py_func")


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of one function, whose stamp is that of all kernels."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder = Path(function.__code__.co_filename).parent
        self._cache_file._source_stamp = kernels_digest(folder)  # noqa: SLF001
