"""Exact states.

`engine` binds angles and runs a program, in compiled passes on the CPU (`cpu`) or in torch
operations on any device (`tensors`); `by_cones` splits what is too wide.
"""
