import pytest
import torch
from peft import LoraConfig, convert_to_lora, get_peft_model
from torch import nn

from qvlm_qiskit.adapter.tuners import QWHAConfig
from qvlm_qiskit.errors import InputError


def tuned(**options):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
    model = get_peft_model(net, QWHAConfig(target_modules=["0"], coefficients=9, **options))
    layer = model.base_model.model[0]
    nn.init.normal_(layer.update_of("default").values)
    return model, layer


def test_a_merge_that_is_not_finite_is_refused_where_it_is_asked_for():
    model, layer = tuned()
    layer.update_of("default").values.data[0] = torch.inf
    before = layer.weight.clone()
    with pytest.raises(InputError, match="merging default gives weights that are not finite"):
        model.merge_and_unload(safe_merge=True)
    assert torch.equal(layer.weight, before)


def test_a_quantised_weight_is_not_merged():
    model, layer = tuned()
    layer.base_layer.weight = nn.Parameter(
        torch.zeros(4, 6, dtype=torch.uint8), requires_grad=False
    )
    with pytest.raises(InputError, match="weight of a Linear is quantised"):
        model.merge_adapter()


def test_unmerging_twice_warns():
    _, layer = tuned()
    layer.merge()
    layer.unmerge()
    with pytest.warns(UserWarning, match="Already unmerged"):
        layer.unmerge()


def test_switched_off_while_merged_it_is_the_base_again():
    model, layer = tuned()
    values = torch.randn(3, 6)
    plain = layer.base_layer(values)
    model.merge_adapter()
    assert not torch.allclose(layer(values), plain)
    with model.disable_adapter():
        assert torch.equal(layer(values), plain)


def test_double_precision_stays():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4)).double()
    model = get_peft_model(net, QWHAConfig(target_modules=["0"], coefficients=9))
    assert model(torch.randn(2, 6, dtype=torch.float64)).dtype == torch.float64
    assert model.base_model.model[0].update_of("default").values.dtype == torch.float64


def test_a_layer_of_another_tuner_is_not_wrapped():
    inner = get_peft_model(nn.Sequential(nn.Linear(6, 4)), LoraConfig(r=2, target_modules=["0"]))
    net = inner.base_model.model
    del net.peft_config
    said = pytest.raises(InputError, match="0 is a Linear: a tuner stands around linear layers")
    with pytest.warns(UserWarning, match="for a second time"), said:
        get_peft_model(net, QWHAConfig(target_modules=["0"]))


def test_peft_makes_a_lora_of_it():
    model, layer = tuned()
    assert layer.supports_lora_conversion()
    config, weights = convert_to_lora(model, rank=4)
    assert config.r == 4
    left, right = (next(t for n, t in weights.items() if key in n) for key in ("lora_B", "lora_A"))
    assert torch.allclose(left @ right, layer.get_delta_weight("default"), atol=1e-5)
