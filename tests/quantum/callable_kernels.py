"""Kernels that only kernels call, as functions that a test can call."""

from numba import njit


def callable_kernel(kernel):
    """The same function with a way in from Python."""
    return njit(error_model="numpy")(getattr(kernel, "py_func", kernel))
