import math

import pytest
import torch

from qvlm_qiskit.adapter.inspection.tensor_trains import (
    apply_train,
    factors_of,
    matrix_of,
    multiplications,
    train_of,
)
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize(
    ("width", "count", "factors"),
    [(64, 3, (4, 4, 4)), (576, 3, (6, 8, 12)), (7, 2, (1, 7)), (1, 2, (1, 1)), (24, 1, (24,))],
)
def test_a_width_is_shared_out(width, count, factors):
    assert factors_of(width, count) == factors
    assert math.prod(factors) == width


def test_only_positive_whole_numbers_are_shared_out():
    for wrong in ((0, 2), (4, 0), (2.0, 1), (True, 1)):
        with pytest.raises(InputError, match="whole number of at least 1"):
            factors_of(*wrong)


def random_train(bonds, outs, ins):
    torch.manual_seed(0)
    sizes = zip(bonds[:-1], outs, ins, bonds[1:], strict=True)
    return [torch.randn(*size, dtype=torch.float64) for size in sizes]


def entry(cores, row, column):
    """One entry of the matrix as a product of small matrices."""
    outs, ins = [c.shape[1] for c in cores], [c.shape[2] for c in cores]
    found = torch.ones(1, 1, dtype=torch.float64)
    for k, core in enumerate(cores):
        i = row // math.prod(outs[k + 1 :]) % outs[k]
        j = column // math.prod(ins[k + 1 :]) % ins[k]
        found = found @ core[:, i, j]
    return found.item()


def test_a_train_is_the_matrix_of_its_entries():
    cores = random_train([1, 3, 2, 1], [2, 1, 3], [3, 2, 2])
    matrix = matrix_of(cores)
    assert matrix.shape == (6, 12)
    wanted = [[entry(cores, row, column) for column in range(12)] for row in range(6)]
    assert torch.allclose(matrix, torch.tensor(wanted, dtype=torch.float64))
    rows = torch.randn(2, 3, 12, dtype=torch.float64)
    assert torch.allclose(apply_train(cores, rows), rows @ matrix.T)
    assert apply_train(cores, rows[:0]).shape == (0, 3, 6)


def test_a_train_of_bonds_one_is_a_kronecker_product():
    first, second = random_train([1, 1, 1], [2, 3], [4, 2])
    kronecker = torch.kron(first[0, :, :, 0], second[0, :, :, 0])
    assert torch.allclose(matrix_of([first, second]), kronecker)


def test_products_are_counted():
    cores = random_train([1, 3, 1], [4, 5], [6, 7])
    row, dense = multiplications(cores)
    assert row == 4 * 6 * 3 * 7 + 4 * 3 * 5 * 7
    assert dense == 4 * 6 * 3 + 4 * 6 * 3 * 5 * 7


@pytest.mark.parametrize(("outs", "ins"), [((4, 4), (4, 4)), ((2, 3, 2), (5, 1, 2)), ((6,), (3,))])
def test_a_full_bond_is_exact_and_a_small_one_bounded(outs, ins):
    torch.manual_seed(1)
    matrix = torch.randn(math.prod(outs), math.prod(ins), dtype=torch.float64)
    assert torch.allclose(matrix_of(train_of(matrix, outs, ins, None)), matrix, atol=1e-12)
    errors = [
        float((matrix_of(train_of(matrix, outs, ins, bond)) - matrix).norm()) for bond in (1, 2, 64)
    ]
    assert errors[-1] < 1e-12
    if len(outs) > 1:
        assert errors[0] > errors[1] > errors[2]


def test_one_cut_leaves_out_the_smallest_singular_values():
    torch.manual_seed(1)
    matrix = torch.randn(6, 6, dtype=torch.float64)
    cut = matrix.reshape(2, 3, 2, 3).permute(0, 2, 1, 3).reshape(4, 9)
    values = torch.linalg.svdvals(cut)
    error = (matrix_of(train_of(matrix, (2, 3), (2, 3), 2)) - matrix).norm()
    assert float(error) == pytest.approx(float(values[2:].square().sum().sqrt()))


def test_what_can_not_be_decomposed_is_refused():
    matrix = torch.ones(4, 4)
    with pytest.raises(InputError, match=r"factors \(2, 2\) and \(4,\) don't fit"):
        train_of(matrix, (2, 2), (4,), None)
    with pytest.raises(InputError, match="don't fit a matrix of shape"):
        train_of(matrix, (2, 3), (2, 2), None)
    with pytest.raises(InputError, match="bond is a whole number"):
        train_of(matrix, (2, 2), (2, 2), 0)
    with pytest.raises(InputError, match="not finite"):
        train_of(matrix / 0, (2, 2), (2, 2), 1)
