"""Compiled hyper-connections on the CPU: kernels, and the nodes of torch's graph that call them.

`sinkhorn` computes weights, `rows` adds and multiplies rows of numbers, `kernels` does both for
the tokens around a block and `head` for those behind the last one; `nodes` is what torch sees.
"""
