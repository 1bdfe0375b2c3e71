"""Compiled passes over tiles of states, forward and backward.

`node` is their place in torch's graph: it binds angles and asks `executor`, which runs samples side
by side in `sweeps`, or few and large ones in `single`. Both are made of `kernels` and `one_qubit`
gates, begin with `initial_states` and end with `readout`; `single` takes runs of gates through
`blocks`, whose lowest qubits are `vectors`, with `gate_matrices`. Where threads have no sample of
their own, `split` shares one between them, on scratch space that `workspace` keeps. `arrays` are
what they work on, `borrowed` without counting who holds them, `jit` is how they are compiled and
kept, `kernel_cache` says whether they are, `warm_up` compiles them. Of small circuits
`sweeps_at_once` and `single_at_once` make a whole call in one kernel, from tensors to tensors, with
`parameters` and `at_once`.
"""
