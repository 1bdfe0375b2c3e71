"""Every model of the zoo as a block of a model."""

import pytest
import torch

from qvlm_qiskit.blocks import BLOCK_KINDS, build_at, build_block
from qvlm_qiskit.blocks.block import places_of
from qvlm_qiskit.blocks.registry import find_block, read_block
from qvlm_qiskit.blocks.zoo import zoo_names
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.quantum import run_on
from tests.blocks.zoo.conftest import SMALL

WIDTH = 8
every = pytest.mark.parametrize("name", zoo_names())


def block_of(name, kind="quantum", place=None):
    torch.manual_seed(0)
    place = place or places_of(find_block(name))[0]
    return build_at(place, WIDTH, {"name": name, **SMALL[name], "kind": kind})


def tokens_of(block):
    """How many tokens a core takes that says so."""
    inputs = block.config.sizes.inputs
    return (inputs[0] if len(inputs) == 2 else None) or 4


@every
@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_every_kind_learns_in_a_few_steps(name, kind):
    block = block_of(name, kind)
    patches = torch.randn(2, tokens_of(block), WIDTH)
    wanted = torch.randn_like(patches)
    optimiser = torch.optim.Adam([p for p in block.parameters() if p.requires_grad], lr=0.03)
    losses = []
    for _ in range(15):
        loss = (block(patches) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]


@every
def test_all_kinds_have_the_same_maps_and_gate(name):
    around = [
        {n: p.shape for n, p in block_of(name, kind).named_parameters() if "core." not in n}
        for kind in BLOCK_KINDS
    ]
    assert around[0] == around[1] == around[2]


@every
def test_it_stands_where_it_says_and_nowhere_else(name):
    places = places_of(find_block(name))
    for place in ("vision", "text"):
        if place in places:
            assert block_of(name, place=place).place == place
        else:
            with pytest.raises(InputError, match=f"{name!r} stands at 'vision', not at {place!r}"):
                block_of(name, place=place)


@every
def test_a_frozen_block_stays_frozen_when_asked_again(name):
    block = block_of(name, "frozen")
    block.requires_grad_(True)
    block.freeze()
    left = {id(p) for p in block.parameters() if not p.requires_grad}
    assert left == {id(p) for p in block.circuit_parameters()}


@every
def test_rows_that_are_bought_are_rounded_to_a_grid_and_asked_once(name, counting):
    """What the purchase of rows needs to know about a block is there."""
    block = block_of(name)
    patches = torch.randn(1, tokens_of(block), WIDTH)
    twice = torch.cat([patches, patches])
    exact = block(twice).detach()
    with run_on(block, counting), asked_once(block), torch.no_grad():
        torch.testing.assert_close(block(twice), exact, rtol=0, atol=1e-5)
    sizes = block.config.sizes
    samples = 1 if len(sizes.inputs) == 2 else patches.shape[1]
    assert 0 < counting.rows <= samples * sizes.rows + sizes.shared_rows


@every
def test_it_is_written_as_a_name_with_options(name):
    said = ",".join(f"{key}={value}" for key, value in SMALL[name].items())
    assert read_block(f"{name}({said})") == (name, SMALL[name])


def test_a_model_is_trained_and_stored_with_it(tmp_path):
    from qvlm_qiskit import HybridVLM, HybridVLMConfig

    chosen = {
        "vision": "qkan(inputs=3,outputs=2)",
        "text": "hamiltonian-embedding(qubits=2,outputs=4)",
    }
    config = HybridVLMConfig.recipe("tiny", chosen=chosen)
    model = HybridVLM(config)
    assert [block.place for block in model.blocks.values()] == ["vision", "text"]
    model.save_pretrained(tmp_path)
    again = HybridVLM.from_pretrained(tmp_path)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name)), name


def test_the_numbers_at_the_start_are_the_cores_own():
    """A model's way of initialising weights leaves those of a core to itself."""
    from qvlm_qiskit import HybridVLM, HybridVLMConfig

    model = HybridVLM(HybridVLMConfig.recipe("tiny", chosen={"vision": "qkan"}))
    core = next(b for b in model.blocks.values() if b.place == "vision").core
    assert torch.equal(core.scale, torch.ones(4, 4))
    assert core.edges.weight.detach().std() == pytest.approx(0.236, rel=0.2)


def test_a_block_by_itself_stands_at_its_first_place():
    assert build_block("qkan", WIDTH, SMALL["qkan"]).place == "vision"
