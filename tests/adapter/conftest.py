"""Small towers and language models with random weights, pictures, a few steps of training."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from qvlm_qiskit.basics.bars import no_transformers_bars
from tests.adapter import hubs


@pytest.fixture(autouse=True)
def _quiet_peft():
    """peft 0.21 reads an attribute that transformers 5.23 deprecates."""
    import warnings

    warnings.filterwarnings("ignore", message=".is_gradient_checkpointing", category=FutureWarning)


def _llama():
    config = LlamaConfig(
        vocab_size=90, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32,
        bos_token_id=1, eos_token_id=2, pad_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _gpt2():
    config = GPT2Config(
        vocab_size=90, n_embd=24, n_layer=2, n_head=4, n_positions=32, bos_token_id=1,
        eos_token_id=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


KINDS = {"llama": (_llama, ["q_proj", "v_proj"]), "gpt2": (_gpt2, ["c_attn", "c_proj"])}


@pytest.fixture(scope="session", params=[*KINDS])
def base(request):
    """One kind of model: `fresh` makes it with the same weights each time."""
    make, targets = KINDS[request.param]
    torch.manual_seed(5)
    weights = make().state_dict()

    def fresh(dtype=torch.float32):
        model = make()
        model.load_state_dict(weights)
        return model.to(dtype).eval()

    ids = torch.randint(3, 90, (3, 9))
    return SimpleNamespace(kind=request.param, fresh=fresh, targets=targets, ids=ids)


def _trained(model, ids, steps=4):
    """The loss before each step."""
    torch.manual_seed(1)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.02)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(scope="session")
def train():
    return _trained


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A folder with tiny towers and language models."""
    with no_transformers_bars():
        return hubs.write(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="session")
def pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), dtype=np.uint8)
    return [Image.fromarray(one) for one in pixels]
