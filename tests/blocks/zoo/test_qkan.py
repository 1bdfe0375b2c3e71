"""The layer edge by edge, on the Bloch sphere, and its three ways of computing the same."""

import math

import pytest
import torch
from qiskit.quantum_info import Pauli, Statevector

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.blocks.zoo.qkan import hqkan
from qvlm_qiskit.quantum import TorchEstimator, run_on


def edge_by_edge(core, x):
    """Every circuit by Qiskit, for samples ``(B, inputs)``."""
    network, config = core.edges.neural_network, core.config
    sums = torch.zeros(len(x), config.outputs, dtype=torch.float64)
    for o in range(config.outputs):
        for i in range(config.inputs):
            angles = core.edges.weight[o * config.inputs + i].tolist()
            for sample, value in enumerate(x[:, i].tolist()):
                uploads = [value]
                if config.scaled:
                    uploads = (core.input_scale[o, i] * value + core.input_offset[o, i]).tolist()
                names = [*network.input_params, *network.weight_params]
                given = dict(zip(names, [*uploads, *angles], strict=True))
                state = Statevector(network.circuit.assign_parameters(given))
                z = state.expectation_value(Pauli("Z")).real
                silu = value / (1 + math.exp(-value))
                sums[sample, o] += core.scale[o, i] * z + core.base[o, i] * silu
    return sums


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("repetitions", [1, 3])
def test_values_are_the_sums_over_the_edges(scaled, repetitions):
    torch.manual_seed(0)
    core = build("qkan", inputs=3, outputs=2, repetitions=repetitions, scaled=scaled).double()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.uniform_(-2, 2)
    x = 5 * torch.randn(4, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(core(x), edge_by_edge(core, x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_circuits_are_another_way_to_the_same_values_and_gradients(scaled):
    torch.manual_seed(0)
    core = build("qkan", inputs=5, outputs=3, scaled=scaled).double()
    x = torch.randn(2, 7, 5, dtype=torch.float64, requires_grad=True)
    leaves = [x, *(p for p in core.parameters() if p.numel())]
    closed = core(x)
    cotangent = torch.randn_like(closed)
    wanted = torch.autograd.grad(closed, leaves, cotangent)
    with run_on(core, TorchEstimator()):
        assert not core.closed_form
        by_circuits = core(x)
        found = torch.autograd.grad(by_circuits, leaves, cotangent)
    torch.testing.assert_close(by_circuits, closed, rtol=0, atol=1e-12)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_without_scales_a_layer_is_a_linear_map_of_sines_and_cosines():
    """Values at 2r + 1 points decide all others."""
    core = build("qkan", inputs=1, outputs=1, repetitions=2).double()
    points = torch.arange(5, dtype=torch.float64)[:, None] * 2 * torch.pi / 5
    x = torch.tensor([[0.3], [2.0], [-9.0]], dtype=torch.float64)

    def waves(x):
        return torch.cat([torch.ones_like(x), x.cos(), x.sin(), (2 * x).cos(), (2 * x).sin()], 1)

    def circuits(x):
        return core(x) - 0.5 * torch.nn.functional.silu(x)

    with torch.no_grad():
        coefficients = torch.linalg.solve(waves(points), circuits(points))
        torch.testing.assert_close(waves(x) @ coefficients, circuits(x), rtol=0, atol=1e-12)


def test_the_hybrid_stands_between_two_linear_maps():
    model = hqkan(256, 100, repetitions=2)
    core = model[1]
    assert [core.config.inputs, core.config.outputs] == [8, 8]
    x = torch.randn(3, 256)
    torch.testing.assert_close(model(x), model[2](core(model[0](x))))
    assert hqkan(1, 1)[1].config.inputs == 1
