"""What is read beside expectation values.

`probabilities` are networks of them, on any machine; `sampler` takes ``SamplerQNN`` and V2
samplers; `final_states` gives states, `fidelity` their overlaps as kernels. On the exact engine all
of them read the states through `statevector.readings`.
"""
