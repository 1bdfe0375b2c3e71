"""What a description of noise does: to our density-matrix engine, and to Aer.

`channel_noise` answers the engine with `matrices`, `aer_model` builds Aer's model, `from_aer` reads
one, and `crosstalk` writes what acts beside a gate into the circuit. `parts` says which error is of
which kind, and `selection` keeps some kinds of a whole description.
"""
