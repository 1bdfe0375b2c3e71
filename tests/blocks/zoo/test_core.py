"""What every model of the zoo has to keep, at small sizes; a file's own tests have its formula."""

import dataclasses

import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.blocks import BLOCK_KINDS
from qvlm_qiskit.blocks.zoo import zoo_names
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import run_on

every = pytest.mark.parametrize("name", zoo_names())
every_kind = pytest.mark.parametrize("kind", BLOCK_KINDS)


def trained(core):
    return sum(p.numel() for p in core.parameters() if p.requires_grad)


@every
def test_circuit_and_twin_have_as_many_trainable_numbers_as_is_said(core_of, name):
    circuit, twin = core_of(name), core_of(name, "classical")
    assert trained(circuit) == circuit.sizes.parameters
    assert trained(twin) == twin.sizes.parameters == circuit.sizes.parameters


@every
def test_a_frozen_circuit_is_not_trained(core_of, name):
    frozen, circuit = core_of(name, "frozen"), core_of(name)
    left = sum(p.numel() for p in circuit.circuit_parameters())
    assert trained(frozen) == trained(circuit) - left
    frozen.requires_grad_(True)
    assert not any(p.requires_grad for p in frozen.freeze().circuit_parameters())


@every
@every_kind
def test_shapes_are_those_that_are_said_and_gradients_flow(core_of, samples_of, name, kind):
    core = core_of(name, kind).double()
    samples = samples_of(core)
    values = core(samples)
    assert len(values) == len(samples)
    assert all(b in (None, a) for a, b in zip(values.shape[1:], core.sizes.outputs, strict=True))
    (values * torch.randn_like(values)).sum().backward()
    wanted = [p for p in core.parameters() if p.requires_grad and p.numel()]
    assert samples.grad.abs().sum() > 0
    for parameter in wanted:
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


@every
@every_kind
def test_values_keep_the_dtype_and_do_not_depend_on_other_samples(core_of, samples_of, name, kind):
    core = core_of(name, kind)
    samples = samples_of(core, 4).detach().float()
    values = core(samples)
    assert values.dtype == torch.float32
    torch.testing.assert_close(core(samples[1:2]), values[1:2], rtol=0, atol=2e-6)
    assert core(samples[:0]).shape == (0, *values.shape[1:])


@every
@every_kind
def test_saved_parameters_are_all_there_is(core_of, samples_of, name, kind):
    core, other = core_of(name, kind), core_of(name, kind)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.uniform_(-1, 1)
    other.load_state_dict(core.state_dict())
    samples = samples_of(core).detach().float()
    assert torch.equal(other(samples), core(samples))


@pytest.mark.parametrize("name", [name for name in zoo_names() if name != "pooling-qcnn"])
def test_exact_values_are_those_of_the_circuits_by_qiskit(core_of, samples_of, name):
    """But of the one that measures in the middle, which Qiskit refuses: its own test has that."""
    core = core_of(name).double()
    samples = samples_of(core)
    exact = core(samples).detach()
    with run_on(core, StatevectorEstimator()), torch.no_grad():
        torch.testing.assert_close(core(samples), exact, rtol=0, atol=1e-8)
    torch.testing.assert_close(core(samples), exact, rtol=0, atol=0)


@every
def test_gradients_are_those_of_the_circuits(core_of, samples_of, counting, name):
    """Through a closed form, and through the circuits on an exact machine."""
    core = core_of(name).double()
    samples = samples_of(core)
    leaves = [samples, *(p for p in core.parameters() if p.numel())]
    values = core(samples)
    cotangent = torch.randn_like(values)
    wanted = torch.autograd.grad(values, leaves, cotangent)
    exact = open_backend("statevector")
    with run_on(core, exact):
        found = torch.autograd.grad(core(samples), leaves, cotangent)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)


@every
def test_it_asks_for_as_many_rows_as_it_says(core_of, samples_of, counting, name):
    core = core_of(name)
    samples = samples_of(core, 2)
    with run_on(core, counting), torch.no_grad():
        core(samples.detach())
    assert counting.rows == 2 * core.sizes.rows + core.sizes.shared_rows


@every
def test_shots_on_a_noisy_machine_are_near_the_exact_values(core_of, samples_of, name):
    core = core_of(name).float()
    samples = samples_of(core, 2).detach().float()
    exact = core(samples).detach()
    with run_on(core, open_backend("noisy:fake_kingston", shots=2000, seed=0)), torch.no_grad():
        found = core(samples)
    assert not torch.equal(found, exact)
    assert (found - exact).abs().max() < 0.15 * max(1.0, float(exact.abs().max()))


@every
def test_samples_of_another_shape_are_refused_in_one_line(core_of, samples_of, name):
    for kind in ("quantum", "classical"):
        core = core_of(name, kind)
        samples = samples_of(core).detach()
        for wrong in (samples[..., :-1], samples.long(), torch.ones(())):
            with pytest.raises(
                InputError, match=r"expected a float tensor \(…, [\w, ]+\), got"
            ) as e:
                core(wrong)
            assert "\n" not in str(e.value)


@every
@every_kind
def test_what_is_no_number_is_refused_or_stays_none(core_of, samples_of, name, kind):
    core = core_of(name, kind)
    samples = samples_of(core).detach().float()
    samples.flatten()[0] = torch.nan
    if kind == "classical":
        assert core(samples).isnan().any()
        return
    with pytest.raises(InputError, match="hold NaN or infinity"):
        core(samples)


@every
def test_another_kind_is_refused(core_of, name):
    with pytest.raises(UnknownNameError, match="unknown block kind 'quantun'"):
        core_of(name, "quantun")


@every
def test_what_is_no_truth_value_is_refused(core_of, name):
    config = core_of(name).config
    for field in dataclasses.fields(config):
        if field.type == "bool":
            for wrong in ("no", 1):
                with pytest.raises(InputError, match=f"{field.name} is True or False, got"):
                    dataclasses.replace(config, **{field.name: wrong})


@every
def test_numbers_out_of_range_are_refused(core_of, name):
    limits = type(core_of(name).config).limits
    for field, (least, most) in limits.items():
        for wrong in (least - 1, most + 1, least + 0.5):
            with pytest.raises(InputError, match=f"{field} is a whole number from {least} to"):
                core_of(name, **{field: wrong})


@every
def test_the_source_is_named_and_its_faults(name):
    """Each file says the paper it is after, and what of it or of its code is not copied."""
    import importlib

    from qvlm_qiskit.recipes import BLOCKS

    text = " ".join(importlib.import_module(BLOCKS.own[name]).__doc__.split())
    assert "arXiv:" in text
    assert "not copied" in text
