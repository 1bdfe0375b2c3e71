import pytest
import torch
from scipy.linalg import hadamard
from torch import nn

from qvlm_qiskit.adapter.tuners import QWHAConfig
from qvlm_qiskit.adapter.tuners.qwha import _hadamards, transformed
from qvlm_qiskit.errors import InputError


def update(in_features, out_features, **options):
    made = QWHAConfig(**options).build(in_features, out_features).double()
    nn.init.normal_(made.values)
    return made


@pytest.mark.parametrize("size", [1, 2, 32, 64, 2048])
def test_rows_are_transformed(size):
    rows = torch.randn(3, size, dtype=torch.float64)
    assert torch.allclose(transformed(rows), rows @ torch.from_numpy(hadamard(size)).double())


def test_an_answer_before_training_does_not_spoil_the_training():
    _hadamards.cache_clear()
    made = QWHAConfig(coefficients=40).build(6, 6)
    for rows in (1, 7):
        with torch.inference_mode():
            made(torch.zeros(rows, 6))
        made(torch.ones(rows, 6, requires_grad=True)).sum().backward()
    assert made.values.grad.abs().max() > 0


@pytest.mark.parametrize(("columns", "size"), [(8, 8), (6, 8), (1, 1), (9, 16)])
def test_the_update_is_the_sparse_matrix_times_hadamards(columns, size):
    made = update(columns, 5, coefficients=4, scaling=3.0)
    sparse = torch.zeros(5, size, dtype=torch.float64)
    for place, value in zip(made.places.tolist(), made.values.tolist(), strict=True):
        sparse[place // size, place % size] = value
    matrix = torch.from_numpy(hadamard(size)).double()
    wanted = 3.0 / 5**0.5 * (sparse @ matrix / size)[:, :columns]
    assert torch.allclose(made.delta(torch.zeros(5, columns, dtype=torch.float64)), wanted)
    values = torch.randn(2, 3, columns, dtype=torch.float64)
    assert torch.allclose(made(values), values @ wanted.T)
    assert torch.allclose(made(values[0, :1]), values[0, :1] @ wanted.T)  # fewer than outputs


def test_places_are_the_seeds_and_come_from_the_file():
    first, same, other = (QWHAConfig(coefficients=20, seed=s).build(16, 16) for s in (1, 1, 2))
    assert torch.equal(first.places, same.places)
    assert len(first.places.unique()) == 20
    assert not torch.equal(first.places, other.places)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.places, other.places)


def test_it_is_fitted_to_a_matrix():
    made = update(16, 5, coefficients=80)
    target = torch.randn(5, 16, dtype=torch.float64)
    made.fit(target)  # all coefficients
    assert torch.allclose(made.delta(target), target)
    few = update(16, 5, coefficients=20)
    few.fit(target)
    spectrum = (target @ torch.from_numpy(hadamard(16)).double() / 4).flatten().abs()
    left = spectrum.sort().values[:60].square().sum()
    assert float((few.delta(target) - target).detach().square().sum()) == pytest.approx(float(left))
    padded = update(11, 5, coefficients=5 * 16)
    padded.fit(target[:, :11])
    assert torch.allclose(padded.delta(target), target[:, :11])
    for wrong in (target.T, target / 0):
        with pytest.raises(InputError, match=r"fit takes a finite matrix \(5, 16\)"):
            few.fit(wrong)


def test_every_place_can_have_a_coefficient():
    made = update(8, 4, coefficients=32)
    assert torch.linalg.matrix_rank(made.delta(torch.zeros(4, 8, dtype=torch.float64))) == 4
    with pytest.raises(InputError, match="coefficients=33 are more than the 32 of a layer of 8"):
        QWHAConfig(coefficients=33).build(8, 4)
    with pytest.raises(InputError, match="coefficients is a whole number of at least 1, got 0"):
        QWHAConfig(coefficients=0)
    with pytest.raises(InputError, match="seed is a whole number of at least 0, got -1"):
        QWHAConfig(seed=-1)
