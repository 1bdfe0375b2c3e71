"""A cut circuit is the circuit: values, gradients, weights, on every machine."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CircuitError, InputError, JobPending
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    HamiltonianEvolution,
    QuantumLayer,
    amplitude_angles,
    cut_layer,
    make_qnn,
)
from qvlm_qiskit.quantum.cuts.reconstruction import CORNERS
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.quantum.torch_support.operators import layer_values
from tests.quantum.cuts.cut_circuits import brick, random_cut, two_fragments

EXACT = {"atol": 1e-10, "rtol": 0}


def pair(network, at, **options):
    """The layer as a whole and cut, of the same weights."""
    weights = uniform(network.num_weights, seed=5).numpy()
    whole, cut = QuantumLayer(network, weights, **options), cut_layer(network, at, **options)
    cut.load_state_dict(whole.state_dict())
    return whole, cut


def uniform(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).uniform(-1.5, 1.5, shape))


def check(whole, cut, rows, weight=None):
    """Values, and gradients of some function of all of them, by inputs and weights."""
    results = []
    for layer in (whole, cut):
        given = rows.clone().requires_grad_()
        weights = (layer.weight.double() if weight is None else weight).detach().requires_grad_()
        values = layer(given, weight=weights)
        slopes = torch.autograd.grad((values.square() + values).sum(), [given, weights])
        results.append((values.detach(), *slopes))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, **EXACT)


def check_random(seed, twin):
    rng = np.random.default_rng(seed)
    network, at = random_cut(rng, qubits=int(rng.integers(4, 8)), cuts=int(rng.integers(1, 4)))
    whole, cut = pair(network, at)
    rows = uniform(3, network.num_inputs, seed=seed)
    check(whole, cut, rows)
    with torch.no_grad():
        values = cut(rows)
    weights = cut.weight.detach().double().expand(3, -1)
    parameters = [*network.input_params, *network.weight_params]
    together = torch.cat([rows, weights], dim=1)
    expected = twin(network.circuit, network.observables, together, parameters)
    np.testing.assert_allclose(values, expected, **EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits_and_cuts(seed, twin):
    check_random(seed, twin)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_more_random_circuits_and_cuts(seed, twin):
    check_random(seed, twin)


def test_weights_per_group_and_per_sample():
    network, at = two_fragments()
    check(*pair(network, [at], groups=3), uniform(2, 3, 5))
    whole, cut = pair(network, [at])
    check(whole, cut, uniform(2, 3, 5), uniform(2, 3, 8, seed=1))
    check(whole, cut, uniform(2, 3, 5), uniform(3, 8, seed=1))
    assert cut(torch.zeros(0, 5)).shape == (0, 4)


def test_a_state_dict_goes_both_ways():
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    assert list(cut.state_dict()) == ["weight"]
    assert [name for name, _ in cut.named_parameters()] == ["weight"]
    cut.weight.data += 1
    whole.load_state_dict(cut.state_dict())
    torch.testing.assert_close(copy.deepcopy(cut)(uniform(2, 5)), whole(uniform(2, 5)), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_dtype_is_that_of_the_inputs(dtype):
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    rows = uniform(4, 5).to(dtype)
    values = cut(rows)
    assert values.dtype == dtype
    torch.testing.assert_close(
        values, whole(rows), atol=1e-2 if dtype.itemsize == 2 else 1e-5, rtol=0
    )


def test_preparations_are_not_rounded_to_half_precision(counting_statevector):
    network, at = two_fragments()
    cut = cut_layer(network, [at])
    with cut.run_on(counting_statevector), torch.no_grad():
        cut(uniform(1, 5).to(torch.bfloat16))
    *_, (below, _) = counting_statevector.calls
    (sent,) = below[0][2].data.values()
    np.testing.assert_allclose(sent[:, :2], CORNERS, atol=1e-6)


def test_probabilities():
    circuit, x, w = brick(5, [[(0, 1), (1, 2)], [(2, 3), (3, 4)]])
    network = make_qnn(circuit, x, w, read="probabilities", qubits=[4, 0, 2])
    whole, cut = pair(network, [(2, 11)])
    check(whole, cut, uniform(3, 5))
    torch.testing.assert_close(cut(uniform(3, 5)).sum(-1), torch.ones(3).double(), **EXACT)


def one_value(layer, row):
    return layer(row[None])[0, 1]


def test_derivatives_of_derivatives_and_transforms():
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    row = uniform(5)
    expected, found = (
        torch.func.jacrev(torch.func.jacrev(partial(one_value, layer)))(row)
        for layer in (whole, cut)
    )
    torch.testing.assert_close(found, expected, **EXACT)


def test_what_stays_in_one_fragment_is_cut_too():
    a, x, w = ParameterVector("a", 3), ParameterVector("x", 3), ParameterVector("w", 1)
    circuit = QuantumCircuit(4)
    circuit.append(AmplitudeEncoding(list(a)), [0, 1])
    circuit.cx(1, 2)
    at = (2, len(circuit.data))
    circuit.append(HamiltonianEvolution({"ZX": x[0], "XI": x[1], "IY": x[2]}, w[0]), [2, 3])
    circuit.cx(2, 3)
    observables = [SparsePauliOp("ZIIZ"), SparsePauliOp("IXXI")]
    network = make_qnn(circuit, [*a, *x], list(w), observables)
    features = uniform(3, 4, seed=2)
    check(*pair(network, [at]), torch.cat([amplitude_angles(features), uniform(3, 3)], dim=1))
    with pytest.raises(InputError, match="amplitude_angles"):
        cut_layer(network, [at]).encode(features, uniform(3, 3))


def test_what_nothing_sees_is_not_run():
    circuit, x, w = brick(5, [[(0, 1), (1, 2)], [(2, 3), (3, 4)]])
    seen = cut_layer(make_qnn(circuit, x, w, [SparsePauliOp("IIIXZ")]), [(2, 11)])
    assert (seen.overhead.qubits, seen.overhead.rows) == ((3,), (1,))
    circuit.x(2)
    unseen = cut_layer(make_qnn(circuit, x, w, [SparsePauliOp("IIIII", 2)]), [(2, 11)])
    values = unseen(uniform(2, 5))
    assert values.tolist() == [[2.0], [2.0]]
    values.sum().backward()
    assert not unseen.weight.grad.any()


def test_far_more_qubits_than_a_state_holds():
    """A GHZ state of 60 qubits: correlations pass three cuts, and every light cone is all of it."""
    angle, circuit, at = ParameterVector("t", 1), QuantumCircuit(60), []
    circuit.ry(angle[0], 0)
    for qubit in range(59):
        if qubit in (15, 30, 45):
            at.append((qubit, len(circuit.data)))
        circuit.cx(qubit, qubit + 1)
    ends = SparsePauliOp.from_sparse_list([("ZZ", [0, 59], 1.0)], num_qubits=60)
    network = make_qnn(circuit, [], list(angle), [ends, SparsePauliOp("X" * 60)])
    layer = cut_layer(network, at, np.array([np.pi / 6]))
    assert layer.overhead.qubits == (16, 16, 16, 15)
    torch.testing.assert_close(layer(), torch.tensor([1.0, 0.5]), atol=1e-5, rtol=0)


def test_the_operator_of_compiled_programs_has_the_same_gradients():
    """On the way back, the values of the other fragments are needed."""
    network, at = two_fragments()
    cut = cut_layer(network, [at])
    rows, weight = uniform(2, 5), uniform(8, seed=1).requires_grad_()
    with cut.run_on(StatevectorEstimator(), "param_shift"):
        values = layer_values(rows, weight, None, cut._number, 4)
        (found,) = torch.autograd.grad(values.square().sum(), weight)
    (expected,) = torch.autograd.grad(cut(rows, weight).square().sum(), weight)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


MACHINES = {
    "aer": {},
    "statevector": {},
    "noisy:depolarizing(0)": {"precision": 0},
}


@pytest.mark.parametrize("name", MACHINES)
def test_machines_of_exact_values(name):
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    with cut.run_on(open_backend(name, **MACHINES[name])):
        assert cut.differentiable_engine() is not None
        found = cut(uniform(2, 5))
        (slopes,) = torch.autograd.grad(found.square().sum(), cut.weight)
        numbers = cut.evaluate_rows(uniform(2, 5).numpy(), cut.weight.detach().double().numpy())
    expected = whole(uniform(2, 5))
    (wanted,) = torch.autograd.grad(expected.square().sum(), whole.weight)
    for one in (found, torch.as_tensor(numbers)):
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(slopes, wanted, atol=1e-5, rtol=0)


def test_a_machine_that_is_smaller_than_the_circuit():
    circuit, x, w = brick(7, [[(0, 1), (1, 2), (2, 3)], [(3, 4), (4, 5), (5, 6)]])
    whole, cut = pair(make_qnn(circuit, x, w), [(3, 16)])
    with cut.run_on(open_backend("noisy:fake_manila", precision=0)):
        noisy = cut(uniform(2, 7))
    assert 1e-3 < (noisy - whole(uniform(2, 7))).abs().max() < 0.3


def test_shots_are_unbiased_and_as_many_as_stated():
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    repeats, shots, circuits = 100, 50, 3 + 4
    rows = uniform(1, 5) + 1e-9 * torch.arange(repeats)[:, None]
    with cut.run_on(open_backend("aer", shots=shots, seed=3)), torch.no_grad():
        assert cut.differentiable_engine() is None
        found = cut(rows)
    error = found.std(0)
    assert ((found.mean(0) - whole(rows[0])).abs() < 5 * error / repeats**0.5).all()
    assert (error.square() * shots * circuits < cut.overhead.sampling).all()


def test_the_parameter_shift_leaves_preparations_alone(counting_statevector):
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    rows = uniform(1, 5).requires_grad_()
    with cut.run_on(counting_statevector, "param_shift"):
        found = torch.autograd.grad(cut(rows).square().sum(), [rows, cut.weight])
    expected = torch.autograd.grad(whole(rows).square().sum(), [rows, whole.weight])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    asked = [pub for pubs, _ in counting_statevector.calls for pub in pubs]
    sent = sorted(np.shape(pub[2])[0] for pub in asked)
    # one row above, four below, and two more for each of their 7 and 6 angles
    assert sent == [1, 4, 2 * 7, 4 * 2 * 6]


def test_a_step_is_asked_ahead_in_one_call(counting_statevector):
    """Values and shifted rows of all fragments."""
    network, at = two_fragments()
    whole, cut = pair(network, [at])
    rows, ahead = uniform(1, 5), AskedAhead(counting_statevector, grid=1e-12)
    with cut.run_on(ahead, "param_shift"):
        with ahead.collecting() as collected:
            assert cut(rows).isnan().all()
        ahead.learn(collected.pubs)
        (found,) = torch.autograd.grad(cut(rows).square().sum(), cut.weight)
    assert len(counting_statevector.calls) == 1
    (expected,) = torch.autograd.grad(whole(rows).square().sum(), whole.weight)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


class Pending(StatevectorEstimator):
    """Has answered nothing yet."""

    def run(self, pubs, *, precision=None):
        raise JobPending("1 job is not finished", [pubs[0][0].name])


def test_the_jobs_of_all_fragments_are_sent_before_one_is_waited_for():
    network, at = two_fragments()
    cut = cut_layer(network, [at])
    with cut.run_on(Pending()), pytest.raises(JobPending, match="not finished") as found:
        cut(uniform(2, 5))
    names = tuple(one.circuit.name for one in cut.fragments)
    assert found.value.submissions == names and len(names) == 2


def test_preflight_counts_the_fragments_and_says_what_they_cost():
    network, at = two_fragments()
    cut = cut_layer(network, [at])
    backend = open_backend("noisy:fake_manila", shots=100)
    for batch in (3, uniform(3, 5)):
        report = backend.preflight(cut, batch, mitigations=["none"])
        assert (report.calls, report.rows) == (2, 3 + 12)
        assert [block.qubits for block in report.blocks] == [3, 3]
        assert report.levels[0].circuits == 3 * 3 + 12 * 2  # bases
        assert str(cut.overhead) in report.notes()[0]
        named = {work.block for work in report.levels[0].work}
        assert named == {block.block for block in report.blocks}


def test_a_gradient_object_of_the_networks_own_is_refused(make_network):
    from qiskit_machine_learning.gradients import SPSAEstimatorGradient

    own = make_network(gradient=SPSAEstimatorGradient(StatevectorEstimator()))
    with pytest.raises(CircuitError, match="leave out the network's gradient"):
        cut_layer(own, [(1, 3)])
