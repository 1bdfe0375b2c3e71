"""Numbers of outcomes, and the Walsh–Hadamard transform."""

import numpy as np
import torch

from qvlm_qiskit.quantum.outcomes import spread_bits, walsh


def test_bits_are_spread():
    np.testing.assert_array_equal(spread_bits([2, 0]), [0, 4, 1, 5])
    np.testing.assert_array_equal(spread_bits([]), [0])


def test_the_transform_is_its_definition_and_its_own_inverse():
    values = torch.arange(16, dtype=torch.float64).reshape(2, 8) ** 2
    signs = [[(-1.0) ** (i & j).bit_count() for j in range(8)] for i in range(8)]
    torch.testing.assert_close(walsh(values), values @ torch.tensor(signs, dtype=torch.float64))
    torch.testing.assert_close(walsh(walsh(values)), 8 * values)
