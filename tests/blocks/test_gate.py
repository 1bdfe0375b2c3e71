import math

import pytest
import torch
import torch.nn.functional as F

from qvlm_qiskit.blocks import ExpectationReadout, GatedResidual
from qvlm_qiskit.errors import InputError, UnknownNameError

WIDTH = 5


def reference(logit, quantum, classical):
    gamma = 1 / (1 + torch.exp(-logit))
    centred = classical - classical.mean(-1, keepdim=True)
    unit = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
    return gamma * quantum + (1 - gamma) * unit


@pytest.mark.parametrize("kind", ["scalar", "channel"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_the_blend_is_the_documented_formula(kind, shape):
    torch.manual_seed(0)
    gate = GatedResidual(kind, WIDTH)
    with torch.no_grad():
        gate.logit.copy_(torch.randn_like(gate.logit))
    quantum, classical = torch.randn(*shape, WIDTH), 3 + 7 * torch.randn(*shape, WIDTH)
    values = gate(quantum, classical)
    assert values.shape == (*shape, WIDTH)
    torch.testing.assert_close(values, reference(gate.logit, quantum, classical))


@pytest.mark.parametrize("initial", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["scalar", "channel"])
def test_gamma_starts_where_it_was_told(kind, initial):
    gate = GatedResidual(kind, WIDTH, initial)
    assert gate.value.shape == ((1,) if kind == "scalar" else (WIDTH,))
    torch.testing.assert_close(gate.value.detach(), torch.full_like(gate.logit, initial).detach())


def test_gamma_stays_between_zero_and_one_and_finite():
    gate = GatedResidual("channel", 4)
    with torch.no_grad():
        gate.logit.copy_(torch.tensor([-200.0, -3.0, 3.0, 200.0]))
    value = gate.value.detach()
    assert float(value.min()) >= 0
    assert float(value.max()) <= 1
    gate(torch.ones(2, 4), torch.randn(2, 4)).sum().backward()
    assert torch.isfinite(gate.logit.grad).all()


def test_an_open_gate_is_the_circuit_and_a_closed_one_the_normalised_path():
    quantum, classical = torch.randn(3, WIDTH), torch.randn(3, WIDTH)
    gate = GatedResidual("scalar", WIDTH)
    with torch.no_grad():
        gate.logit.fill_(40.0)
    torch.testing.assert_close(gate(quantum, classical), quantum)
    with torch.no_grad():
        gate.logit.fill_(-40.0)
    torch.testing.assert_close(gate(quantum, classical), F.layer_norm(classical, (WIDTH,)))


def test_the_classical_path_cannot_grow_instead_of_closing_the_gate():
    quantum, classical = torch.randn(3, WIDTH), torch.randn(3, WIDTH)
    gate = GatedResidual("scalar", WIDTH)
    torch.testing.assert_close(
        gate(quantum, 100 * classical), gate(quantum, classical), atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_classical_paths_dtype_is_the_outputs(dtype):
    gate = GatedResidual("channel", WIDTH)
    values = gate(torch.randn(2, WIDTH, dtype=dtype), torch.randn(2, WIDTH, dtype=dtype))
    assert values.dtype == dtype


@pytest.mark.parametrize("initial", [0, 1, -0.1, 1.5, float("nan")])
def test_a_gate_that_starts_outside_of_zero_and_one_is_refused(initial):
    with pytest.raises(InputError, match="between 0 and 1"):
        GatedResidual("scalar", WIDTH, initial)


def test_an_unknown_gate_names_the_nearest():
    with pytest.raises(UnknownNameError, match="'channel'"):
        GatedResidual("chanel", WIDTH)


@pytest.mark.parametrize("n", [2, 6, 12])
def test_the_read_out_starts_at_unit_variance(n):
    torch.manual_seed(1)
    readout = ExpectationReadout(n, 4000)
    assert not readout.bias.any()
    assert readout.initial_std == pytest.approx(1 / (0.3 * math.sqrt(n)))
    values = readout(0.3 * torch.randn(50, n)).detach()
    assert float(values.std()) == pytest.approx(1, rel=0.15)
