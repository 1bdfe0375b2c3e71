"""Compiled passes for noisy states on CPUs.

`units` cuts a noisy program into passes, `kernels` and `sweeps` run them (Numba), `executor` is
their autograd function.
"""
