"""Arrays whose owners aren't counted, for the time that a kernel runs.

Numba counts who holds an array whenever it is handed on, cut or put into a tuple, with an operation
that all processors agree on. Of a small circuit nine tenths of the time went into that (measured,
docs/log.md). A kernel that is called from Python works on what it borrows instead: of arguments,
which their caller holds, and of scratch space of its own, which it has to `hold` to its end.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from numba import config, types
from numba.core.cgutils import get_null_value
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic


@intrinsic
def _borrow(typing, array):
    def write(context, builder, signature, arguments):
        made = context.make_array(array)(context, builder, arguments[0])
        made.meminfo = get_null_value(made.meminfo.type)
        made.parent = get_null_value(made.parent.type)
        value = made._getvalue()  # noqa: SLF001  (as Numba's own modules do)
        return impl_ret_borrowed(context, builder, array, value)

    return array(array), write


@intrinsic
def _hold(typing, value):
    def write(context, builder, signature, arguments):
        return context.get_dummy_value()

    return types.void(value), write


def _plain_borrow(array):
    return array


def _plain_hold(value):
    return None


borrow = _plain_borrow if config.DISABLE_JIT else _borrow
"""The same array without an owner."""
hold = _plain_hold if config.DISABLE_JIT else _hold
"""Keeps a value, such as a tuple of arrays, until here."""
