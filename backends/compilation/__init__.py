"""From a circuit as written to the circuit that a machine runs.

`compiler` transpiles (`by_options` makes a backend's), `placement` chooses the qubits where it is
likeliest to run without error, `measured_circuits` puts changes of basis and measurements behind
it, and `compiled` is the outermost estimator of a stack, which does both once per circuit.
"""
