import numpy as np
import pytest
import torch
from peft import get_peft_model
from torch import nn

from qvlm_qiskit.adapter.tuners import TeraConfig
from qvlm_qiskit.adapter.tuners.tera import random_tensors
from qvlm_qiskit.errors import InputError

CPU = torch.device("cpu")


def update(in_features, out_features, **options):
    made = TeraConfig(**options).build(in_features, out_features).double()
    for scale in made.scales:
        nn.init.normal_(scale)
    return made


@pytest.mark.parametrize(("columns", "rows", "axes"), [(12, 8, 2), (7, 6, 3), (5, 4, 1)])
def test_the_update_is_the_core_times_a_matrix_in_every_axis(columns, rows, axes):
    made = update(columns, rows, axes=axes, core=3, scaling=2.0, seed=4)
    sizes = made.out_axes + made.in_axes
    core, matrices = random_tensors(4, sizes, made.ranks, CPU, torch.float64)
    tensor = core.numpy()
    for axis, (matrix, scale) in enumerate(zip(matrices, made.scales, strict=True)):
        scaled = matrix.numpy() * scale.detach().numpy()
        tensor = np.moveaxis(np.tensordot(scaled, tensor, (1, axis)), 0, axis)
    wanted = 2.0 * torch.from_numpy(tensor.reshape(rows, columns))
    assert torch.allclose(made.delta(torch.zeros(rows, columns, dtype=torch.float64)), wanted)
    values = torch.randn(3, 2, columns, dtype=torch.float64)
    assert torch.allclose(made(values), values @ wanted.T)
    assert sum(p.numel() for p in made.parameters()) == sum(min(3, n) for n in sizes)


def test_both_ways_forward_are_the_same(monkeypatch):
    made = update(36, 30)
    matrices = []
    delta = made.delta
    monkeypatch.setattr(made, "delta", lambda values: matrices.append(len(values)) or delta(values))
    values = torch.randn(200, 36, dtype=torch.float64)
    wanted = values @ delta(values).T
    assert torch.allclose(made(values), wanted)
    assert torch.allclose(made(values[:1]), wanted[:1])
    assert matrices == [200]
    assert made(values[:0]).shape == (0, 30)


def test_what_is_random_is_the_seeds_in_every_version():
    core, (first, *_) = random_tensors(0, (3, 2), (2, 2), CPU, torch.float64)
    assert core.flatten().tolist() == pytest.approx(
        [0.0889046919352223, -0.09341224466100138, 0.4528471989539067, 0.07417558418617766]
    )
    assert first[0].tolist() == pytest.approx([-0.3787754462361687, 0.2556863153700186])


def test_it_is_the_same_in_every_layer_and_in_no_file(base):
    model = get_peft_model(base.fresh(), TeraConfig(target_modules=base.targets[:1]))
    names = [n for n in model.state_dict() if "tera_update" in n]
    assert all(".scales." in n for n in names)
    layers = [model.get_submodule(f"base_model.model.{n}") for n in model.targeted_module_names]
    first, second = (layer.update_of("default") for layer in layers)
    drawn = [
        random_tensors(u.seed, u.out_axes + u.in_axes, u.ranks, CPU, torch.float32)[0]
        for u in (first, second)
    ]
    assert drawn[0] is drawn[1]


def test_an_answer_before_training_does_not_spoil_the_training():
    random_tensors.cache_clear()
    made = TeraConfig(seed=77).build(6, 6)
    with torch.inference_mode():
        made(torch.zeros(1, 6))
    made(torch.ones(1, 6)).sum().backward()
    assert made.scales[0].grad.abs().max() > 0


def test_its_rank_can_be_full():
    made = update(64, 64)
    assert torch.linalg.matrix_rank(made.delta(torch.zeros(64, 64, dtype=torch.float64))) == 64


def test_wrong_numbers_are_refused():
    for name in ("axes", "core"):
        with pytest.raises(InputError, match=f"{name} is a whole number of at least 1, got 0"):
            TeraConfig(**{name: 0})
