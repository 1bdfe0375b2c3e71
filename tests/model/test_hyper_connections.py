"""Hyper-connections against transformers' own module, which is computed in double here."""

import copy
import gc
import weakref
from types import SimpleNamespace

import numba
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from transformers.models.deepseek_v4.modeling_deepseek_v4 import (
    DeepseekV4HyperConnection,
    DeepseekV4HyperHead,
)

from qvlm_qiskit.model import hyper_connections as module
from qvlm_qiskit.model.hyper_connections import HyperConnection, HyperHead
from qvlm_qiskit.model.mhc import nodes
from qvlm_qiskit.model.mhc.kernels import CHUNK_TOKENS

SIZE = 6
F32, F64, BF16 = torch.float32, torch.float64, torch.bfloat16
# tokens: a part of a tile; tiles and a part; chunks, tiles and a part
SHAPES = [(1, 3), (2, 19), (3, CHUNK_TOKENS // 2 + 7)]


def config(n=4, **changes):
    given = {"hc_mult": n, "hc_sinkhorn_iters": 20, "hc_eps": 1e-6, "rms_norm_eps": 1e-6}
    return SimpleNamespace(**{"hidden_size": SIZE, **given, **changes})


def made(kind, dtype=F64, seed=0, **options):
    """A module with weights that make every gate's derivative matter."""
    torch.manual_seed(seed)
    one = kind(config(**options)).to(dtype)
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return one


def drawn(shape=(2, 19), n=4, dtype=F64, seed=1, scale=1.0):
    torch.manual_seed(seed)
    return (scale * torch.randn(*shape, n, SIZE, dtype=F64)).to(dtype).requires_grad_()


def block(x):
    """Something with a derivative that depends on where it is taken."""
    return torch.tanh(x) * 2 + x


@pytest.fixture
def in_double(monkeypatch):
    """transformers' modules compute in single; here they keep what they are given."""
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)


def stock_around(connection, streams, block):
    """The formula of transformers' own decoder layer, with its module."""
    post, comb, collapsed = DeepseekV4HyperConnection.forward(connection, streams)
    return post[..., None] * block(collapsed)[..., None, :] + comb.mT @ streams


def found(call, streams, parameters):
    """Values and all gradients of one of their many sums."""
    out = call(streams)
    torch.manual_seed(5)
    seeds = torch.randn(out.shape, dtype=F64).to(out.dtype)
    gradients = torch.autograd.grad(out, [streams, *parameters], seeds)
    return [out.detach(), *gradients]


def both(streams, n=4, dtype=F64, **options):
    """What we say and what transformers' module says, both in ``dtype``."""
    one = made(HyperConnection, dtype, n=n, **options)
    parameters = [one.fn, one.base, one.scale]
    given = [t.detach().clone().requires_grad_() for t in (streams, streams)]
    own = found(lambda x: one.around(x, block), given[0], parameters)
    theirs = found(lambda x: stock_around(one, x, block), given[1], parameters)
    return own, theirs


def assert_near(own, theirs, tolerance):
    """Relative to the largest number of each; NaN where the others are."""
    for a, b in zip(own, theirs, strict=True):
        largest = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 1.0
        torch.testing.assert_close(
            a, b, rtol=0, atol=tolerance * max(largest, 1e-40), equal_nan=True
        )


@pytest.fixture
def counted(monkeypatch):
    """How many nodes were made."""
    calls = []
    for name in ("enter", "leave", "collapse"):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, real=real, name=name: calls.append(name) or real(*a)
        )
    return calls


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_values_and_gradients_are_those_of_the_stock_module_in_double(in_double, counted, n):
    for shape in SHAPES:
        assert_near(*both(drawn(shape, n), n), 1e-12)
    assert counted == ["enter", "leave"] * len(SHAPES)


@pytest.mark.parametrize("n", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 5))])
def test_in_single_they_are_those_to_rounding(n):
    for shape in SHAPES:
        assert_near(*both(drawn(shape, n, F32), n, F32), 1e-5)


@pytest.mark.parametrize("iterations", [0, 1, 2, 7])
def test_any_number_of_iterations(in_double, iterations):
    assert_near(*both(drawn(), hc_sinkhorn_iters=iterations), 1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e6, 1e12])
@pytest.mark.parametrize("dtype", [F64, F32])
def test_zero_tiny_and_huge_streams(request, dtype, scale):
    if dtype == F64:
        request.getfixturevalue("in_double")
    own, theirs = both(drawn(scale=scale, dtype=dtype), dtype=dtype)
    assert all(value.isfinite().all() for value in theirs)
    assert_near(own, theirs, 1e-12 if dtype == F64 else 2e-5)


@pytest.mark.parametrize(("dtype", "scale"), [(F32, 1e38), (F64, 1e200), (F64, 1e307)])
def test_where_squares_overflow_a_token_counts_as_zero(request, dtype, scale):
    if dtype == F64:
        request.getfixturevalue("in_double")
    streams = torch.full((1, 3, 4, SIZE), scale, dtype=dtype, requires_grad=True)
    one = made(HyperConnection, dtype)
    with torch.no_grad():
        one.fn.mul_(100)  # the projection overflows too
    own = one.around(streams, torch.tanh)
    assert own.isfinite().all()
    torch.testing.assert_close(own, stock_around(one, streams, torch.tanh))
    own.mean().backward()  # in single the stock module's gradients are NaN
    assert streams.grad.isfinite().all()
    assert not one.fn.grad.any()


@pytest.mark.parametrize("dtype", [F64, F32])
def test_gates_that_are_shut_or_wide_open(request, dtype):
    if dtype == F64:
        request.getfixturevalue("in_double")
    one, head, streams = made(HyperConnection, dtype), made(HyperHead, dtype), drawn(dtype=dtype)
    with torch.no_grad():
        one.scale.fill_(1e4)
        head.hc_scale.fill_(-1e4)
    parameters = [one.fn, one.base, one.scale]
    own = found(lambda x: one.around(x, block), streams, parameters)
    theirs = found(lambda x: stock_around(one, x, block), streams, parameters)
    assert all(value.isfinite().all() for value in theirs)
    assert_near(own, theirs, 1e-12 if dtype == F64 else 1e-3)
    torch.testing.assert_close(head(streams), DeepseekV4HyperHead.forward(head, streams))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [F64, F32])
def test_a_spoiled_token_spoils_what_it_does_in_the_stock_module(request, dtype, bad):
    if dtype == F64:
        request.getfixturevalue("in_double")
    streams = drawn(dtype=dtype).detach().clone()
    streams[1, 4, 2, 3] = bad
    own, theirs = both(streams, dtype=dtype)
    for a, b in zip(own, theirs, strict=True):
        torch.testing.assert_close(a.isnan(), b.isnan())
    fine = torch.ones(2, 19, dtype=torch.bool)
    fine[1, 4] = False
    assert own[0][1, 4].isnan().all()
    assert own[0][fine].isfinite().all()
    assert own[1][fine].isfinite().all()
    assert own[2].isnan().any()
    torch.testing.assert_close(own[0][fine], theirs[0][fine])
    torch.testing.assert_close(own[1][fine], theirs[1][fine], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_an_empty_batch(shape):
    one, streams = made(HyperConnection), drawn(shape)
    head = made(HyperHead)
    out = head(one.around(streams, block))
    assert out.shape == (*shape, SIZE)
    out.sum().backward()
    assert streams.grad.shape == streams.shape
    assert not any(p.grad.any() for p in (*one.parameters(), *head.parameters()))


class Decoder(torch.nn.Module):
    """A block with its hyper-connection, and the head."""

    def __init__(self, dtype=F64, **options):
        super().__init__()
        self.one, self.head = (
            made(HyperConnection, dtype, **options),
            made(HyperHead, dtype, **options),
        )

    def forward(self, streams):
        return self.head(self.one.around(streams, block))


@pytest.mark.parametrize("n", [2, 4])
def test_gradients_are_those_of_differences(counted, n):
    decoder = Decoder(n=n, hc_sinkhorn_iters=3)
    names, values = zip(*decoder.named_parameters(), strict=True)

    def call(streams, *values):
        return torch.func.functional_call(decoder, dict(zip(names, values, strict=True)), streams)

    leaves = [value.detach().clone().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(call, (drawn((1, 3), n), *leaves))
    assert set(counted) == {"enter", "leave", "collapse"}


@pytest.mark.parametrize("dtype", [F64, F32])
def test_the_mixing_matrix_is_doubly_stochastic(dtype):
    one, streams = made(HyperConnection, dtype), drawn(dtype=dtype)
    for i in range(4):  # a unit vector in one stream: what comes out is a row of the matrix
        unit = torch.zeros(2, 19, 4, SIZE, dtype=dtype)
        unit[:, :, i] = 1
        with torch.no_grad():
            post, comb, _, _ = nodes.enter(
                streams, one.fn, one.base, one.scale, nodes.Formula(one._constants, one._weights)
            )
            nothing = torch.zeros(2, 19, SIZE, dtype=dtype)
            row = nodes.leave(post, comb, unit, nothing, None)
        torch.testing.assert_close(row[..., 0], comb[:, :, i])
    stock = DeepseekV4HyperConnection.forward(one, streams)[1].to(dtype)
    for sums, other in ((comb.sum(-1), stock.sum(-1)), (comb.sum(-2), stock.sum(-2))):
        assert (sums - 1).abs().max() <= (other - 1).abs().max() + 1e-6
    assert (comb.sum(-2) - 1).abs().max() < 2e-6


def test_streams_of_any_layout_and_sign_bit():
    one = made(HyperConnection)
    streams = drawn()
    expected = found(lambda x: one.around(x, block), streams, [one.fn])
    for view in (
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: x.flip(-1).contiguous().flip(-1),
        lambda x: torch.stack([x, x], -1)[..., 0],
        lambda x: torch.complex(torch.zeros_like(x), -x).conj().imag,
    ):
        got = found(lambda x, view=view: one.around(view(x), block), streams, [one.fn])
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_recomputed_activations_give_the_same_bits():
    one, head = made(HyperConnection, F32), made(HyperHead, F32)
    every = [*one.parameters(), *head.parameters()]

    def site(x):
        return head(one.around(x, block))

    streams = drawn((3, CHUNK_TOKENS // 2), dtype=F32)
    plain = found(site, streams, every)
    again = found(lambda x: checkpoint(site, x, use_reentrant=False), streams, every)
    for a, b in zip(plain, again, strict=True):
        assert torch.equal(a, b)


def test_threads_change_no_bit():
    before, results = torch.get_num_threads(), []
    torch.manual_seed(2)
    streams = torch.randn(4, 700, 4, SIZE * 8, requires_grad=True)
    assert streams.numel() > 3 * nodes.THREAD_NUMBERS
    wide = HyperConnection(config(hidden_size=SIZE * 8))
    for parameter in wide.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(found(lambda x: wide.around(x, lambda y: y), streams, wide.parameters()))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_graph_that_is_kept_can_be_walked_again():
    one, streams = made(HyperConnection), drawn()
    head = made(HyperHead)
    loss = head(one.around(streams, block)).square().sum()
    first = torch.autograd.grad(loss, [streams, *one.parameters()], retain_graph=True)
    second = torch.autograd.grad(loss, [streams, *one.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_only_what_needs_a_gradient_gets_one():
    one, head = made(HyperConnection).requires_grad_(False), made(HyperHead).requires_grad_(False)
    streams = drawn()
    head(one.around(streams, block)).sum().backward()
    assert streams.grad is not None
    assert all(p.grad is None for p in (*one.parameters(), *head.parameters()))
    one.base.requires_grad_()
    one.around(streams.detach(), block).square().sum().backward()
    assert one.base.grad.any()
    assert one.fn.grad is None


def test_without_gradients_nothing_is_kept():
    one, head = made(HyperConnection), made(HyperHead)
    for mode in (torch.no_grad, torch.inference_mode):
        streams, packed = drawn(), []
        seen = weakref.ref(streams)
        with mode(), torch.autograd.graph.saved_tensors_hooks(packed.append, lambda x: x):
            out = head(one.around(streams, block))
        assert not packed
        assert out.grad_fn is None
        del streams
        gc.collect()
        assert seen() is None


def test_little_is_kept_beside_streams_and_blocks_outputs():
    one, streams = made(HyperConnection, F32), drawn((4, 400), dtype=F32)
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = one.around(streams, lambda x: x * 2)
    assert out.requires_grad
    parameters = sum(4 * p.numel() for p in one.parameters())
    per_token = 4 * (3 * 24 + 1)
    assert sum(kept.values()) <= streams.nbytes * 5 // 4 + 1600 * per_token + parameters


def test_parameters_are_those_of_the_stock_module():
    for own, stock in (
        (HyperConnection, DeepseekV4HyperConnection),
        (HyperHead, DeepseekV4HyperHead),
    ):
        one, other = made(own), made(stock)
        assert one.state_dict().keys() == other.state_dict().keys()
        one.load_state_dict(other.state_dict())
        for name, value in other.state_dict().items():
            assert torch.equal(one.state_dict()[name], value)


def test_weights_stay_exact_under_autocast():
    one, head = made(HyperConnection, F32), made(HyperHead, F32)
    streams = drawn(dtype=F32)
    expected = found(lambda x: head(one.around(x, lambda y: y)), streams, [one.fn, head.hc_fn])
    seen = []

    def wide(x):
        seen.append((x.dtype, (x @ x.mT).dtype))
        return x

    with torch.autocast("cpu", BF16):
        got = found(lambda x: head(one.around(x, wide)), streams, [one.fn, head.hc_fn])
        post, comb, _ = one(streams)
    assert seen == [(F32, BF16)]
    assert post.dtype == comb.dtype == F32
    assert (comb.sum(-2) - 1).abs().max() < 2e-6
    for a, b in zip(got, expected, strict=True):
        assert torch.equal(a, b)
    with torch.autocast("cpu", BF16):
        rounded = one.around(streams, lambda x: x.to(BF16))
    assert rounded.dtype == F32


def test_bfloat16_streams_stay_bfloat16():
    one, head = made(HyperConnection, F32), made(HyperHead, F32)
    streams = drawn(dtype=F32)
    exact = one.around(streams, block), head(streams)
    for weights in (F32, BF16):
        low = copy.deepcopy(one).to(weights), copy.deepcopy(head).to(weights)
        own = low[0].around(streams.to(BF16), block), low[1](streams.to(BF16))
        for a, b in zip(own, exact, strict=True):
            assert a.dtype == BF16
            torch.testing.assert_close(a.float(), b, rtol=0.05, atol=0.1)
        post, comb, _ = low[0](streams.to(BF16))
        assert post.dtype == comb.dtype == F32
        assert (comb.sum(-2) - 1).abs().max() < 2e-6


def test_the_formula_is_the_stock_module_in_torch(in_double):
    one, head, streams = made(HyperConnection), made(HyperHead), drawn()
    stock = DeepseekV4HyperConnection.forward(one, streams)
    for a, b in zip(one(streams), stock, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-13)
    expected = found(lambda x: stock_around(one, x, block), streams, [one.fn])
    post, comb, x = one(streams)
    again = found(lambda s: module.mixed(*one(s)[:2], s, block(one(s)[2])), streams, [one.fn])
    assert post.shape == (2, 19, 4) and comb.shape == (2, 19, 4, 4) and x.shape == (2, 19, SIZE)
    assert_near(again, expected, 1e-12)
    end = DeepseekV4HyperHead.forward(head, streams)
    torch.testing.assert_close(head(streams), end, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_the_head_is_the_stock_module(in_double, counted, n):
    for shape in SHAPES:
        head = made(HyperHead, n=n)
        parameters = [head.hc_fn, head.hc_base, head.hc_scale]
        own = found(head, drawn(shape, n), parameters)
        theirs = found(
            lambda x, head=head: DeepseekV4HyperHead.forward(head, x), drawn(shape, n), parameters
        )
        assert_near(own, theirs, 1e-12)
    assert counted == ["collapse"] * len(SHAPES)


def test_derivatives_of_derivatives():
    decoder, streams = Decoder(hc_sinkhorn_iters=3), drawn((1, 2))
    every = [streams, *decoder.parameters()]
    loss = decoder(streams).square().sum()
    plain = torch.autograd.grad(loss, every, retain_graph=True)
    followed = torch.autograd.grad(loss, every, create_graph=True)
    for a, b in zip(followed, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)
    assert torch.autograd.gradgradcheck(decoder, (streams,))


def test_a_batch_of_gradients():
    decoder, streams = Decoder(), drawn((1, 2))
    out = decoder(streams)
    every = torch.eye(out.numel(), dtype=F64).view(-1, *out.shape)
    (batched,) = torch.autograd.grad(out, streams, every, is_grads_batched=True, retain_graph=True)
    for row, seed in zip(batched, every, strict=True):
        (single,) = torch.autograd.grad(out, streams, seed, retain_graph=True)
        torch.testing.assert_close(row, single, rtol=1e-11, atol=1e-11)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_transforms_take_the_formula(counted):
    decoder, streams = Decoder(), drawn((3, 2)).detach()

    def call(x):
        return decoder(x[None])[0]

    expected = torch.stack([call(x) for x in streams])
    counted.clear()
    torch.testing.assert_close(torch.func.vmap(call)(streams), expected)
    jacobian = torch.func.jacrev(call)(streams[0])
    torch.testing.assert_close(jacobian, torch.func.jacfwd(call)(streams[0]))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(streams[0], torch.ones_like(streams[0]))
        tangent = torch.autograd.forward_ad.unpack_dual(call(dual)).tangent
    torch.testing.assert_close(tangent, jacobian.sum((-3, -2, -1)))
    assert counted == []
    given = streams[0].clone().requires_grad_()
    rows = torch.eye(call(given).numel(), dtype=F64).view(-1, *jacobian.shape[:2])
    ours = torch.stack([torch.autograd.grad(call(given), given, row)[0] for row in rows])
    torch.testing.assert_close(ours.view_as(jacobian), jacobian)


def test_export_and_fake_tensors_take_the_formula(counted):
    decoder, streams = Decoder(F32), drawn(dtype=F32).detach()
    expected = decoder(streams)
    counted.clear()
    exported = torch.export.export(decoder, (streams,)).module()
    torch.testing.assert_close(exported(streams), expected)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert decoder(torch.empty(2, 19, 4, SIZE)).shape == expected.shape
    meta = copy.deepcopy(decoder).to("meta")
    assert meta(streams.to("meta")).shape == expected.shape
    assert counted == []


def test_mixed_precisions_take_the_formula(counted):
    one, streams = made(HyperConnection, F32), drawn()
    out = one.around(streams, block)
    assert out.dtype == F64
    assert counted == []
    assert one.around(streams.float(), lambda x: x.double()).dtype == F32
    assert counted == ["enter", "leave"]


def test_a_block_of_another_shape_is_broadcast_or_refused():
    one, streams = made(HyperConnection), drawn()
    wide = one.around(streams, lambda x: x.new_ones(1, 1, SIZE))
    torch.testing.assert_close(wide, one.around(streams, torch.ones_like))
    with pytest.raises(RuntimeError):
        one.around(streams, lambda x: x[..., :4])


@pytest.mark.parametrize(("n", "size"), [(3, SIZE), (2, 2 * SIZE), (4, SIZE + 1)])
def test_streams_of_another_number_or_size_are_refused(n, size):
    streams = torch.ones(1, 2, n, size, dtype=F64)
    for call in (made(HyperHead), lambda x: made(HyperConnection).around(x, block)):
        with pytest.raises(RuntimeError):
            call(streams)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled here")
def test_warming_up_compiles_what_the_recipes_need():
    from qvlm_qiskit.model.mhc import head, kernels
    from qvlm_qiskit.model.mhc.warm_up import warm_up
    from qvlm_qiskit.quantum.statevector.cpu.jit import on_disk

    warm_up()
    for kernel in (kernels.enter_back, kernels.leave_back, head.collapse_back):
        assert on_disk(kernel)
        assert len(kernel.signatures) >= 2
