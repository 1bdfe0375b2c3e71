"""Pubs, whoever runs them: what they are made of, what tells them apart, and what they cost.

`digest` names a circuit and a pub by their content, `expressions` reads their parameter
expressions, `active_qubits` cuts a circuit down to what it uses, `pauli_terms` groups observables
into measured bases, `counting` reads values off the counts of those, `shots` are precisions in
other words, `work` states what a device would execute, and `jobs` are what `run` returns. A
`package` is the pubs of one job as bytes (in an `archive`), an `answer` what came back to one of
them. `stack` walks down the estimators that a pub passes.
"""
