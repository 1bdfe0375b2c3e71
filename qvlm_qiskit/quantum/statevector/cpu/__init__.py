"""Compiled passes over tiles of states, forward and backward.

`executor` drives `sweeps`, which are made of `kernels` and `one_qubit` gates, begin with
`initial_states` and end with `readout`; `arrays` are what they work on, `jit` is how they are
compiled and kept, `kernel_cache` says whether they are, `warm_up` compiles them.
"""
