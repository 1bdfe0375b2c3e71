"""From a circuit as written to the circuit that a machine runs.

`compiler` transpiles, `placement` chooses the qubits where it is likeliest to run without error,
and `compiled` is the outermost estimator of a stack, which does both once per circuit.
"""
