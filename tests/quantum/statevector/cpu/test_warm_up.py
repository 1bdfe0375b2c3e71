import torch

from qvlm_qiskit.quantum.statevector.cpu import kernel_cache, single, sweeps, warm_up


def test_after_warming_up_numba_has_its_files_where_they_are_looked_for():
    assert warm_up.warm_up() > 0
    for driver in (sweeps, single):
        assert kernel_cache.is_compiled(driver)
        assert driver.backward.signatures and driver.forward.signatures
    assert warm_up.warm_up(torch.float64) > 0
