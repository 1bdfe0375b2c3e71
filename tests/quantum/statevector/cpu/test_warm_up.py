import torch

from qvlm_qiskit.quantum.statevector.cpu import kernel_cache, sweeps, warm_up


def test_after_warming_up_numba_has_its_files_where_they_are_looked_for():
    assert warm_up.warm_up() > 0
    assert kernel_cache.is_compiled()
    assert sweeps.backward.signatures and sweeps.forward.signatures
    assert warm_up.warm_up(torch.float64) > 0
