"""How kernels are compiled and kept on disk: all of a folder under one key.

Numba compiles a kernel again when its own file has changed, but not when a function has that it
calls in another file; the machine code of the old one would go on running. So the key of every
kernel is a digest of all files in its folder that hold kernels, and of this one.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

_OPTIONS = {
    "fastmath": True,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    # kernels are called from Python and from each other, never from C
    "no_cfunc_wrapper": True,
}

_DECORATORS = (b"jit", b"inlined", b"within")
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
        if any(b"\n@" + word in text for word in _DECORATORS) or name in _SHARED:
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
    """A :func:`within` that becomes a part of every kernel that calls it, once that is compiled.

    Handing a plan over, some hundred words on the stack, takes longer than what a small one does.
    """
    return _within(function, {**_OPTIONS, "forceinline": True})


def within(function: Callable[..., Any]) -> Any:
    """A kernel that only other kernels call: it has no machine code of its own, nor files on disk.

    Machine code of every kernel, and of Python's way into it, is a third of what compiling takes
    (measured, docs/log.md). Called from Python it raises a TypeError.
    """
    return _within(function, _OPTIONS)


def _within(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    kernel = njit(**options, no_cpython_wrapper=True, pipeline_class=_WithinCompiler)(function)
    if kernel is not function:
        kernel._compile_for_args = partial(_refuse, function)  # noqa: SLF001
        kernel.add_overload = partial(_add_for_kernels, kernel)
    return kernel


def _refuse(function: Callable[..., Any], *_: Any) -> None:
    raise TypeError(f"{function.__qualname__} is called by kernels only, not from Python")


def _add_for_kernels(kernel: Any, compiled: Any) -> None:
    """Keep what was compiled where kernels that call it look, and Python doesn't."""
    # Numba finds a callee by its entry point, and this one has none
    named = compiled._replace(entry_point=object())
    kernel.targetctx.insert_user_function(named.entry_point, named.fndesc, [named.library])
    kernel.overloads[tuple(named.signature.args)] = named


class _WithinLibrary(JITCodeLibrary):  # type: ignore[misc]
    """A kernel that is linked into others: LLVM's code, optimised, without machine code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class _WithinCompiler(Compiler):  # type: ignore[misc]
    """Numba's own compiler, up to LLVM's code."""

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any,
        flags: Any, locals: Any,
    ) -> None:  # fmt: skip
        flags.no_compile = True
        library = _WithinLibrary(targetctx.codegen(), "within")
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)


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
