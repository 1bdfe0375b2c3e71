"""A circuit as a program of Pauli rotations.

`program` reads it (`builder` instruction by instruction, by `definitions`, into `operations`),
`light_cone` drops what no observable sees, `cones` what single Pauli strings don't see, `fusion`
merges it into few passes; `circuit_key` says which circuits do the same.
"""
