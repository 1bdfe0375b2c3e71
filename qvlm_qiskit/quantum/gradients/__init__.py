"""Gradients through estimators that torch can't differentiate.

`batched` is the gradient that a network is given, `shift_rules` (on the circuit of
`shift_template`, by the rows of `shift_rows`) and `adjoint` are its exact methods, `request` is
what is asked of it, `through_pubs` puts an estimator into torch's graph, `sampled` says how, where
its values are sampled, and `ahead` asks for them with the values.
"""
