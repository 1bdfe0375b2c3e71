import pytest
import torch

from qvlm_qiskit.blocks.zoo import MatchedNetwork, Sizes
from qvlm_qiskit.errors import InputError, UnknownNameError


class Config:
    kind = "classical"

    def __init__(self, m, k, parameters):
        self.sizes = Sizes((m,), (k,), parameters, rows=1)


@pytest.mark.parametrize(("m", "k"), [(1, 1), (3, 2), (10, 4)])
def test_it_has_exactly_as_many_trainable_numbers(m, k):
    for wanted in range(k + 2, 80):
        network = MatchedNetwork(Config(m, k, wanted))
        assert sum(p.numel() for p in network.parameters()) == wanted


def test_the_formula():
    """Two units of 3 + 2 + 1, two offsets, one factor."""
    torch.manual_seed(0)
    network = MatchedNetwork(Config(3, 2, 15))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-1, 1)
    x = torch.randn(5, 3)
    scaled = torch.stack([x[:, 0] * network.factor[0], x[:, 1], x[:, 2]], 1)
    hidden = torch.tanh(scaled @ network.inner.T + network.shift)
    torch.testing.assert_close(network(x), hidden @ network.outer.T + network.offset)


def test_with_few_parameters_groups_of_inputs_are_averaged():
    network = MatchedNetwork(Config(4, 1, 4))
    x = torch.randn(5, 4)
    means = torch.stack([x[:, :2].mean(1), x[:, 2:].mean(1)], 1)
    hidden = torch.tanh(means @ network.inner.T + network.shift)
    torch.testing.assert_close(network(x), hidden @ network.outer.T)


def test_outputs_can_be_bounded():
    x = 100 * torch.randn(20, 3)
    softmax = MatchedNetwork(Config(3, 2, 15), "softmax")(x)
    torch.testing.assert_close(softmax.sum(1), torch.ones(20))
    assert MatchedNetwork(Config(3, 2, 15), "tanh")(x).abs().max() <= 1


def test_what_can_not_be_built_is_refused():
    with pytest.raises(InputError, match="no network from 3 to 2 values has only 3 parameters"):
        MatchedNetwork(Config(3, 2, 3))
    with pytest.raises(UnknownNameError, match="unknown bound 'tan': did you mean 'tanh'"):
        MatchedNetwork(Config(3, 2, 15), "tan")
