import pytest
import torch
from torch import nn

from qvlm_qiskit.adapter.inspection import MatrixProductLinear, compress
from qvlm_qiskit.adapter.inspection.tensor_trains import apply_train
from qvlm_qiskit.errors import InputError, UnknownNameError


def logits(model, base):
    with torch.no_grad():
        return model(base.ids).logits


def test_a_full_bond_changes_nothing(base):
    plain = logits(base.fresh(), base)
    model = base.fresh()
    found = compress(model, base.targets, None)
    linear = [n for n, m in model.named_modules() if isinstance(m, MatrixProductLinear)]
    assert sorted(one.name for one in found) == sorted(linear)
    assert len(found) == 4 + 2 * (base.kind == "gpt2")
    assert max(one.error for one in found) < 1e-6
    assert torch.allclose(logits(model, base), plain, atol=1e-5)


def test_smaller_bonds_are_smaller_and_heal(base):
    plain, counts, errors = logits(base.fresh(), base), [], []
    for bond in (8, 3):
        model = base.fresh()
        found = compress(model, base.targets, bond)
        counts.append([one.after for one in found])
        errors.append([one.error for one in found])
        for one in found:
            layer = model.get_submodule(one.name)
            assert one.after == sum(p.numel() for p in layer.parameters())
            before = base.fresh().get_submodule(one.name)
            assert one.before == sum(p.numel() for p in before.parameters())
            assert max(one.bonds) <= bond
    assert all(small < large for large, small in zip(*counts, strict=True))
    assert all(0 < good < bad < 1 for good, bad in zip(*errors, strict=True))
    assert all(one.after < one.before for one in found)
    with torch.no_grad():
        away = (logits(model, base) - plain).square().mean()
    trained = [
        p for m in model.modules() if isinstance(m, MatrixProductLinear) for p in m.parameters()
    ]
    optimiser = torch.optim.Adam(trained, 0.002)
    for _ in range(25):
        optimiser.zero_grad()
        loss = (model(base.ids).logits - plain).square().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.5 * away


@pytest.mark.parametrize("bond", [1, 40])
def test_both_ways_forward_are_the_same_layer(bond, monkeypatch):
    trains = []

    def watched(cores, rows):
        trains.append(rows.shape)
        return apply_train(cores, rows)

    monkeypatch.setattr("qvlm_qiskit.adapter.inspection.tensor_trains.apply_train", watched)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(60, 48)).double()
    compress(net, ["0"], bond)
    layer = net[0]
    values = torch.randn(2, 50, 60, dtype=torch.float64)
    wanted = values @ layer.weight.T + layer.bias
    assert torch.allclose(layer(values), wanted)
    assert torch.allclose(layer(values[0, 0]), wanted[0, 0])
    assert trains == [(60,)] * (bond == 1)
    assert layer(values[:0]).shape == (0, 50, 48)
    assert (layer.in_features, layer.out_features) == (60, 48)


def test_weights_of_a_compressed_model_are_in_its_state(base):
    model = base.fresh()
    compress(model, base.targets[:1], 2)
    again = base.fresh()
    compress(again, base.targets[:1], 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    again.load_state_dict(model.state_dict())
    assert torch.equal(logits(again, base), logits(model, base))


def test_wrong_layers_are_named_before_anything_is_changed(base):
    model = base.fresh()
    with pytest.raises(UnknownNameError, match="unknown linear layer 'q_prj'"):
        compress(model, [base.targets[0], "q_prj"], 2)
    with pytest.raises(InputError, match="bond is a whole number"):
        compress(model, base.targets, 0)
    with pytest.raises(InputError, match="cores is a whole number"):
        compress(model, base.targets, 1, cores=0)
    assert not any(isinstance(m, MatrixProductLinear) for m in model.modules())
    quantised = nn.Sequential(nn.Linear(2, 2))
    quantised[0].weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.uint8), requires_grad=False)
    with pytest.raises(InputError, match="weight of a Linear is quantised"):
        compress(quantised, ["0"], 1)
