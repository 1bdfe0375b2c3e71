import numba
import pytest

from qvlm_qiskit.quantum.density.cpu import at_once, sweeps
from qvlm_qiskit.quantum.density.cpu.warm_up import warm_up
from qvlm_qiskit.quantum.statevector.cpu.jit import on_disk


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled here")
def test_it_compiles_both_precisions_and_keeps_them():
    warm_up()
    for driver in (sweeps.forward, sweeps.backward, at_once.forward, at_once.backward):
        assert on_disk(driver)
        assert len(driver.signatures) >= 2
