import pytest
import torch
from torch import nn

from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle


class Angles(AtLeastSingle):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1 + 2**-20, 1e-30]))
        self.register_buffer("counts", torch.arange(3))


@pytest.fixture
def whole():
    return nn.ModuleDict({"angles": Angles(), "plain": nn.Linear(2, 2)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_leaves_the_parameters_as_they_are(whole, dtype):
    before = whole["angles"].weight.detach().clone()
    for moved in (whole.to(dtype), whole.half() if dtype == torch.float16 else whole.bfloat16()):
        assert torch.equal(moved["angles"].weight, before)
        assert moved["angles"].weight.dtype == torch.float32
        assert moved["plain"].weight.dtype == dtype
        assert moved["angles"].counts.dtype == torch.int64


def test_from_double_to_half_is_to_single(whole):
    whole.double().half()
    assert whole["angles"].weight.dtype == torch.float32


def test_double_precision_and_devices_are_as_ever(whole):
    assert whole.double()["angles"].weight.dtype == torch.float64
    assert whole.float()["angles"].weight.dtype == torch.float32
    assert whole.to("meta", torch.bfloat16)["angles"].weight.is_meta
