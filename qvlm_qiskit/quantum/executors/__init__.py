"""What the compiled executors of statevectors and of density matrices share.

`call` is what one evaluation asks of them, `tiles` how batches are laid out and spread over
threads, `node` how their sweeps become one node of torch's graph, `at_once` how a small call
becomes one kernel each way.
"""
