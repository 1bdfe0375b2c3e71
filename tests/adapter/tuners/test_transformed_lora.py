import pytest
import torch
from torch import nn

from qvlm_qiskit.adapter.tuners import TransformedLoraConfig
from qvlm_qiskit.errors import InputError


def update(columns, rows, **options):
    torch.manual_seed(2)
    return TransformedLoraConfig(**options).build(columns, rows).double()


@pytest.mark.parametrize(("columns", "cores", "bond"), [(12, 3, 2), (8, 1, 1), (7, 2, 3)])
def test_it_begins_at_the_identity_and_every_part_of_it_has_a_gradient(columns, cores, bond):
    made = update(columns, 5, cores=cores, bond=bond, r=2)
    values = torch.randn(4, columns, dtype=torch.float64)
    assert torch.equal(made.shift(values), torch.zeros_like(values))
    assert torch.equal(made(values), torch.zeros(4, 5, dtype=torch.float64))
    weight = torch.randn(5, columns, dtype=torch.float64)
    assert torch.equal(made.delta(weight), torch.zeros_like(weight))
    nn.init.normal_(made.lora_out)
    loss = ((values + made.shift(values)) @ weight.T + made(values)).square().sum()
    loss.backward()
    for parameter in made.parameters():
        assert parameter.grad.abs().max() > 0
    for before, behind in zip(made.cores[:-1], made.cores[1:], strict=True):
        for index in range(1, bond):
            sides = before.grad[..., index].abs().max(), behind.grad[index].abs().max()
            assert max(sides) > 1e-6


def test_a_bond_of_one_is_a_kronecker_product():
    made = update(12, 5, cores=2)
    for core in made.cores:
        nn.init.normal_(core)
    nn.init.normal_(made.lora_out)
    first, second = (core.detach()[0, :, :, 0] for core in made.cores)
    weight = torch.randn(5, 12, dtype=torch.float64)
    wanted = weight @ torch.kron(first, second) - weight + made.lora_out @ made.lora_in
    assert torch.allclose(made.delta(weight), wanted)
    values = torch.randn(3, 12, dtype=torch.float64)
    got = (values + made.shift(values)) @ weight.T + made(values)
    assert torch.allclose(got, values @ (weight + wanted).T)


def test_its_number_of_parameters():
    for bond in (1, 3):
        made = update(64, 32, r=4, cores=3, bond=bond)
        train = 16 * (bond + bond * bond + bond)
        assert sum(p.numel() for p in made.parameters()) == train + 4 * (64 + 32)


def test_wrong_numbers_are_refused():
    for name in ("r", "cores", "bond"):
        with pytest.raises(InputError, match=f"{name} is a whole number of at least 1, got 0"):
            TransformedLoraConfig(**{name: 0})
