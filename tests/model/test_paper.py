"""One training step of the published size; see `RECIPES` for what is assumed in it."""

import resource

import pytest
import torch

from qvlm_qiskit.model import HybridVLM, HybridVLMConfig

TOKENS = 30
MOST_GIB = 12.0
"""5.2 for forward and backward pass, 4.3 for AdamW's moments, and the process."""


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(0)
    return HybridVLM(HybridVLMConfig.recipe("paper", vocab_size=50_262)).train()


@pytest.mark.slow
def test_a_training_step_of_the_paper_recipe(paper):
    config = paper.config
    text = torch.randint(10, config.text_config.vocab_size, (1, TOKENS))
    image = torch.full((1, config.num_image_tokens), config.image_token_id)
    batch = {
        "input_ids": torch.cat([text[:, :1], image, text[:, 1:]], dim=1),
        "pixel_values": torch.randn(1, 3, 224, 224),
    }
    batch["labels"] = batch["input_ids"].masked_fill(batch["input_ids"] == 3, -100)
    optimiser = torch.optim.AdamW(paper.parameters(), lr=1e-4)
    before = paper(**batch).loss
    before.backward()
    assert [name for name, p in paper.named_parameters() if p.grad is None] == []
    assert torch.isfinite(
        torch.nn.utils.clip_grad_norm_(paper.parameters(), 0.5, error_if_nonfinite=True)
    )
    optimiser.step()
    optimiser.zero_grad()
    with torch.no_grad():
        after = paper(**batch).loss
    assert after < before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 < MOST_GIB
