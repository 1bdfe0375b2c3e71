import numpy as np
import torch

from qvlm_qiskit import open_backend
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from tests.quantum.test_copies import rotations


def test_it_is_the_tensors_memory_where_that_is_contiguous():
    tensor = torch.randn(3, 4, requires_grad=True)
    seen = memory_view(tensor)
    assert seen.ctypes.data == tensor.data_ptr()
    assert np.array_equal(seen, tensor.detach().numpy())
    assert np.array_equal(memory_view(tensor.T), tensor.detach().numpy().T)
    assert memory_view(torch.zeros(0, 3)).shape == (0, 3)


def test_a_negated_view_keeps_its_sign():
    view = torch.complex(torch.ones(3), torch.ones(3)).conj().imag
    assert view.is_neg()
    assert memory_view(view).tolist() == [-1.0] * 3


def test_a_layers_parameters_can_be_freed_after_use():
    """As FSDP does: weights and inputs, wherever a layer runs, in both precisions."""
    sampler = open_backend("noisy:depolarizing(0.01)", shots=10, seed=0)
    for machine, gradient in (
        (None, None),
        (open_backend("aer"), None),
        (sampler, SampledGradient("spsa")),
    ):
        for dtype in (torch.float32, torch.float64):
            layer = rotations(2).to(dtype)
            if machine is not None:
                layer.run_on(machine, gradient)
            rows = torch.nn.Parameter(torch.randn(3, 2, dtype=dtype))
            layer(rows).sum().backward()
            assert layer.weight.untyped_storage().resizable()
            assert rows.untyped_storage().resizable()
