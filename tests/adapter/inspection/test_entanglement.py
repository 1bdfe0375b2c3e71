import math

import pytest
import torch
from qiskit.quantum_info import Statevector, entropy, partial_trace

from qvlm_qiskit.adapter.inspection import (
    attention_profiles,
    cut_entropies,
    profile_of,
    update_profiles,
)
from qvlm_qiskit.errors import InputError, UnknownNameError


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(4, 8), (3, 5), (1, 6)])
def test_entropies_are_those_of_the_state(shape):
    matrix = random(*shape)
    rows, columns = (1 << (n - 1).bit_length() for n in shape)
    padded = torch.zeros(rows, columns, dtype=torch.float64)
    padded[: shape[0], : shape[1]] = matrix / matrix.norm()
    state = Statevector(padded.flatten().numpy())  # the last qubit of Qiskit is the first bit
    bits = state.num_qubits
    wanted = [entropy(partial_trace(state, range(bits - cut)), base=2) for cut in range(1, bits)]
    assert cut_entropies(matrix) == pytest.approx(wanted, abs=1e-9)


def test_between_rows_and_columns_the_rank_is_the_bound():
    for rank in (1, 2, 8):
        found = profile_of(random(32, rank) @ random(rank, 32, seed=1))
        assert found.rank == rank
        assert found.bound == math.log2(rank)
        assert found.entropies[found.row_bits - 1] <= found.bound + 1e-9
        assert found.control[found.row_bits - 1] <= found.bound + 1e-9
    for kind in (torch.float32, torch.bfloat16):  # rounding is no rank
        for size in (8, 32, 256):
            product = ((random(size, 2) @ random(2, size)) * 1e-5).to(kind)
            assert profile_of(product).rank == 2
        assert profile_of(random(32, 24).to(kind)).rank == 24
    assert found.entropies[4] > 0.9 * found.bound  # r = 8
    assert max(found.entropies) > found.entropies[4] + 0.5  # the valley
    full = profile_of(random(32, 32))
    assert full.entropies[4] == max(full.entropies)
    assert full.entropies == pytest.approx(full.control, abs=0.1)


def test_known_entropies():
    assert cut_entropies(torch.eye(4)) == pytest.approx((1, 2, 1))
    assert cut_entropies(torch.ones(4, 4)) == pytest.approx((0, 0, 0), abs=1e-12)
    assert cut_entropies(1e300 * torch.eye(2, dtype=torch.float64)) == pytest.approx((1,))
    assert cut_entropies(torch.ones(1, 1)) == ()


def test_padding_is_said():
    assert not profile_of(random(4, 8)).padded
    found = profile_of(random(3, 8))
    assert found.padded
    assert (found.row_bits, found.column_bits, found.shape) == (2, 3, (3, 8))


def test_what_is_no_state_is_refused():
    for wrong in (torch.zeros(2, 2), torch.full((2, 2), torch.nan), torch.ones(3)):
        with pytest.raises(InputError):
            cut_entropies(wrong)


def test_every_tuned_layer_has_a_profile(base, train):
    peft = pytest.importorskip("peft")
    from qvlm_qiskit.adapter.tuners import TransformedLoraConfig

    for config in (peft.LoraConfig(r=2), TransformedLoraConfig(r=2)):
        config.target_modules, config.task_type = set(base.targets), "CAUSAL_LM"
        if base.kind == "gpt2" and isinstance(config, peft.LoraConfig):
            config.fan_in_fan_out = True
        model = peft.get_peft_model(base.fresh(), config)
        with pytest.raises(InputError, match="is zero is no state"):
            update_profiles(model)
        train(model, base.ids, 3)
        found = update_profiles(model)
        assert [one.name.removeprefix("base_model.model.") for one in found] == (
            model.targeted_module_names
        )
        for one in found:
            assert (one.rank == 2) == isinstance(config, peft.LoraConfig)
            assert one.entropies[one.row_bits - 1] <= one.bound + 1e-6
            assert len(one.control) == len(one.entropies) == one.row_bits + one.column_bits - 1
        with pytest.raises(UnknownNameError, match="unknown adapter 'deflaut': did you mean"):
            update_profiles(model, "deflaut")


def test_a_circuit_has_no_profile(base):
    peft = pytest.importorskip("peft")
    from qvlm_qiskit.adapter.tuners import QuantumLoraConfig

    model = peft.get_peft_model(base.fresh(), QuantumLoraConfig(target_modules=base.targets))
    with pytest.raises(InputError, match="it has no ΔW"):
        update_profiles(model)


def test_every_head_has_a_profile(base):
    model = base.fresh()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = model(base.ids, output_attentions=True).attentions
    found = attention_profiles(attentions)
    assert len(found) == 2 * 4
    assert found[5].name == "layer 1, head 1"
    assert found[5].entropies == cut_entropies(attentions[1][0, 1])
    assert found[0].padded
    with pytest.raises(InputError, match=r"attentions are \(B, heads, T, T\)"):
        attention_profiles([torch.ones(3, 3)])
