import numpy as np
import pytest

from qvlm_qiskit.quantum.statevector.cpu.arrays import MATRIX, work_space, zero


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scratch_is_made_for_the_longest_gate_in_the_precision_of_the_states(dtype):
    work = work_space(np.array([0, 2, 7, 8]), 4, np.zeros(1, dtype))
    assert work.prefix.shape == work.k.shape == (6 * MATRIX,)
    assert work.inverse.shape == (MATRIX,)
    assert work.cos.shape == work.sin.shape == work.total.shape == (4,)
    assert {array.dtype for array in work} == {np.dtype(dtype)}


def test_scratch_without_a_gate_holds_the_identity_alone():
    assert work_space(np.array([0]), 2, np.zeros(1)).prefix.shape == (MATRIX,)


def test_an_array_of_any_shape_is_filled_with_zeros():
    array = np.ones((2, 3, 4))
    zero(array)
    assert not array.any()
