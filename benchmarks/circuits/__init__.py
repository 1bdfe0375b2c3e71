"""What a circuit can be given and read, beside others: one row per capability.

Reading order: `described` (a circuit as data, what is read of it, its light cones), `rows` (those
that are measured), one module per contender (`ours`, `tensorcircuit_jax`, `pennylane_torch`,
`plain_torch`) and `measured` (that they agree, then times). What is no list of gates has a module
of its own with all its contenders: `kernel`, `hamiltonian`, `edges`.
"""
