"""A circuit as a program of Pauli rotations.

`program` reads it, `light_cone` drops what no observable sees, `fusion` merges it into few passes;
`circuit_key` says which circuits do the same.
"""
