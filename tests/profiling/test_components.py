import pytest
import torch

from qvlm_qiskit.data import DigitCanvases, encode_training
from qvlm_qiskit.data.batch import collate
from qvlm_qiskit.data.digits import vocabulary_texts
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, build_processor
from qvlm_qiskit.profiling.components import COMPONENTS, caught


@pytest.fixture(scope="module")
def batch():
    processor = build_processor(HybridVLMConfig.recipe("tiny"), vocabulary_texts())
    return collate(encode_training(processor, list(DigitCanvases("train", 4, seed=1))))


def model(**changes):
    torch.manual_seed(0)
    return HybridVLM(HybridVLMConfig.recipe("tiny", **changes)).train()


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"streams": 3, "vision_attention": "latent"}, [1, 1, 1, 2, 1, 5]),
        ({"blocks": "classical"}, [1, 1, 1, 2, 1, 4]),
        ({"blocks": "none"}, [1, 1, 1, 2, 1, 4]),
    ],
    ids=str,
)
def test_every_call_of_every_part_is_caught(batch, changes, counts):
    """Connections of mHC and its head; without mHC two residual additions for each layer."""
    found = caught(model(**changes), batch)
    assert {name: len(calls) for name, calls in found.items()} == dict(
        zip(COMPONENTS, counts, strict=True)
    )


def test_a_part_alone_gives_what_it_gives_in_the_model(batch):
    whole = model(streams=2)
    found, seen = caught(whole, batch), []
    attention = whole.decoder.layers[1].self_attn
    handle = attention.register_forward_hook(lambda _, __, output: seen.append(output[0]))
    whole(**batch)
    handle.remove()
    torch.testing.assert_close(found["MLA"][1].forward(), seen[0])


def test_a_part_alone_has_a_backward_pass_of_its_own(batch):
    whole = model(streams=2)
    for calls in caught(whole, batch).values():
        for call in calls:
            whole.zero_grad()
            value = call.forward()
            value.square().sum().backward()
            assert all(
                torch.isfinite(p.grad).all() for p in whole.parameters() if p.grad is not None
            )


def test_nothing_stays_on_the_model(batch):
    whole = model(streams=2)
    before = whole(**batch).loss
    caught(whole, batch)
    assert not any(m._forward_pre_hooks for m in whole.modules())
    assert not any("around" in m.__dict__ for m in whole.modules())
    torch.testing.assert_close(whole(**batch).loss, before, atol=0, rtol=0)
