import pytest
import torch

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig
from qvlm_qiskit.model.vision import LatentAttention


@pytest.fixture(scope="module")
def tower():
    torch.manual_seed(0)
    config = HybridVLMConfig.recipe("small", vision_attention="latent", image_size=32)
    return HybridVLM(config).eval().vision


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_every_patch_sees_every_other(tower, attention):
    tower.set_attn_implementation(attention)
    pixels = torch.rand(2, 3, 32, 32)
    changed = pixels.clone()
    changed[..., 24:, 24:] += 1  # the last patch
    before, after = (tower(p).last_hidden_state for p in (pixels, changed))
    assert ((before - after).abs().amax(-1) > 0).all()
    tower.set_attn_implementation("sdpa")
    torch.testing.assert_close(tower(pixels).last_hidden_state, before, atol=1e-5, rtol=0)


def test_the_latent_is_a_quarter_of_the_width(tower):
    layers = [m for m in tower.modules() if isinstance(m, LatentAttention)]
    assert len(layers) == 3
    assert layers[0].kv_a_layernorm.weight.shape == (16,)
    assert layers[0].o_proj.weight.shape == (64, 64)


def test_patches_know_nothing_of_a_rotation(tower):
    """Two patches whose positions are exchanged are answered exchanged."""
    layer = next(m for m in tower.modules() if isinstance(m, LatentAttention))
    rows = torch.randn(1, 5, 64)
    order = [3, 1, 4, 0, 2]
    torch.testing.assert_close(layer(rows)[0][:, order], layer(rows[:, order])[0])


@pytest.mark.parametrize("heads", [1, 2, 16])
def test_any_number_of_heads_has_channels_for_all(heads):
    config = HybridVLMConfig.recipe("tiny", vision_attention="latent")
    config.vision_config.num_attention_heads = heads
    values = HybridVLM(config).vision(torch.rand(1, 3, 16, 16)).last_hidden_state
    assert torch.isfinite(values).all()


def test_another_attention_is_refused():
    with pytest.raises(UnknownNameError, match="unknown vision attention 'latnt'"):
        HybridVLMConfig.recipe("tiny", vision_attention="latnt")
