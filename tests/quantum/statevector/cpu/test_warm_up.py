import torch

from qvlm_qiskit.quantum.statevector.cpu import (
    gate_matrices,
    kernel_cache,
    single,
    single_at_once,
    sweeps,
    sweeps_at_once,
    warm_up,
)
from qvlm_qiskit.quantum.statevector.cpu.jit import on_disk


def test_after_warming_up_numba_has_its_files_where_they_are_looked_for():
    assert warm_up.warm_up() > 0
    for driver in (sweeps_at_once, single_at_once):
        assert kernel_cache.is_compiled(driver)
        assert driver.backward.signatures and driver.forward.signatures
    # what large calls run is compiled with them
    for driver in (sweeps, single):
        assert kernel_cache.is_compiled(driver)
    # and what threads call that share a sample
    for kernel in (gate_matrices.matrices_of, gate_matrices.gradients_of):
        assert kernel.signatures and on_disk(kernel)
    assert warm_up.warm_up(torch.float64) > 0
