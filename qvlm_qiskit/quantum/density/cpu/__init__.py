"""Compiled passes for noisy states on CPUs.

`units` cuts a noisy program into passes, `kernels` and `sweeps` run them (Numba), `executor` is
their autograd function; `at_once` makes a whole call of a small circuit in one kernel.
"""
