"""Noisy circuits as their light cones, against whole density matrices."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.noise_models import depolarizing, parse_parametric
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.density import by_cones, noisy_program
from qvlm_qiskit.quantum.density.by_cones import noisy_engine
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from qvlm_qiskit.quantum.split import SplitEngine
from tests.quantum.density.layered import aer_state

P = ParameterVector("p", 6)
NOISES = [
    "depolarizing(0.05)",
    "depolarizing(0.02)+zz(0.1)+readout(0.03)",
    "thermal(t1_us=10,t2_us=8)+readout(0.05)",
]


def isa(rng, n):
    """Gates of a device on neighbours; the last qubit stays idle."""
    circuit = QuantumCircuit(n)
    for _ in range(int(rng.integers(4, 4 * n))):
        q = int(rng.integers(n - 2))
        kind = rng.integers(4)
        if kind == 0:
            circuit.rz(P[rng.integers(6)] * 0.7 + 0.1, q)
        elif kind == 1:
            circuit.sx(q)
        elif kind == 2:
            circuit.x(q)
        else:
            circuit.cz(q, q + 1)
    return circuit


def observables(rng, n):
    found = []
    for _ in range(int(rng.integers(1, 5))):
        terms = []
        for _ in range(int(rng.integers(1, 4))):
            qubits = rng.choice(n, rng.integers(0, 3), replace=False).tolist()
            letters = "".join(rng.choice(list("XYZ"), len(qubits)))
            terms.append((letters, qubits, float(rng.choice([0.0, rng.normal()], p=[0.1, 0.9]))))
        found.append(SparsePauliOp.from_sparse_list(terms, num_qubits=n))
    return found


def gradients(engine, batched, shared, seeds):
    batched, shared = batched.clone().requires_grad_(), shared.clone().requires_grad_()
    values = engine.expectations(batched, shared)
    values.backward(seeds)
    return values.detach(), batched.grad, shared.grad


SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(40, 150)]


@pytest.mark.parametrize("seed", [*range(40), *SLOW])
def test_values_and_gradients_are_those_of_the_whole_circuit(seed, monkeypatch):
    monkeypatch.setattr(by_cones, "WHOLE_QUBITS", 0)
    monkeypatch.setattr(by_cones, "are_worth_it", lambda *_: True)
    rng = np.random.default_rng(seed)
    n, num_batched = 3 + seed % 3, (3, 0, 6)[seed % 3]
    program = compile_noisy(isa(rng, n), parse_parametric(NOISES[seed % 3]).channels(), list(P))
    asked = observables(rng, n)
    split = noisy_engine(program, asked, num_batched)
    assert isinstance(split, SplitEngine)
    batched = torch.as_tensor(rng.uniform(-3, 3, (2, num_batched)))
    shared = torch.as_tensor(rng.uniform(-3, 3, 6 - num_batched))
    seeds = torch.as_tensor(rng.normal(size=(2, len(asked))))
    whole = DensityEngine(program, asked, num_batched)
    found, expected = (gradients(each, batched, shared, seeds) for each in (split, whole))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def line(n, depth, angle=lambda layer, _: P[layer % 6]):
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        for q in range(n):
            circuit.sx(q)
            circuit.rz(angle(layer, q), q)
            circuit.sx(q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cz(q, q + 1)
    return circuit


def z(n, q):
    return SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], num_qubits=n)


def test_cones_under_the_same_noise_share_a_plan():
    noise = parse_parametric("depolarizing(0.02)+readout(0.03)").channels()
    program = compile_noisy(line(40, 2), noise, list(P))
    engine = noisy_engine(program, [z(40, q) for q in range(40)], 0)
    assert len(engine.parts) <= 4
    weights = torch.rand(6, dtype=torch.float64)
    values = engine.expectations(torch.zeros(1, 0, dtype=torch.float64), weights)[0]
    torch.testing.assert_close(values[10:30:2], values[10].expand(10), atol=1e-12, rtol=0)
    narrow = compile_noisy(line(10, 2), noise, list(P))
    whole = DensityEngine(narrow, [z(10, 4)], 0).expectations(
        torch.zeros(1, 0, dtype=torch.float64), weights
    )
    torch.testing.assert_close(values[14], whole[0, 0], atol=1e-12, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("text", [*NOISES[::2], "depolarizing(0.01)"])
def test_a_line_of_156_qubits_is_its_cones_by_hand(text):
    n, rng = 156, np.random.default_rng(0)
    x, w = ParameterVector("x", n), ParameterVector("w", 2 * n)
    circuit = line(n, 3, lambda layer, q: [*x, *w][layer * n + q])
    program = compile_noisy(circuit, parse_parametric(text).channels(), [*x, *w])
    observables = [z(n, q) for q in range(n)]
    split = noisy_engine(program, observables, n)
    assert len(split.parts) <= 8
    engines = [noisy_engine(program, [one], n) for one in observables]

    class ByHand:
        def expectations(self, batched, shared):
            return torch.cat([each.expectations(batched, shared) for each in engines], dim=1)

    batched = torch.as_tensor(rng.uniform(-3, 3, (16, n)))
    shared = torch.as_tensor(rng.uniform(-3, 3, 2 * n))
    seeds = torch.as_tensor(rng.normal(size=(16, n)))
    found, expected = (gradients(each, batched, shared, seeds) for each in (split, ByHand()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_an_estimator_runs_what_is_wide_where_every_cone_fits():
    estimator = TorchEstimator(noise_model=parse_parametric("depolarizing(0.02)"), seed=1)
    pub = (line(20, 1), [z(20, 3), z(20, 12)], np.zeros(1))
    found = estimator.run([pub]).result()[0].data.evs
    assert found[0] == pytest.approx(found[1])
    all_of_them = (pub[0], [z(20, q) for q in range(12)], pub[2], 0.1)
    with pytest.raises(CapacityError, match=r"circuit needs 12 qubits at a time.*at most 10"):
        estimator.run([all_of_them]).result()  # samples are drawn of all that are read together
    deep = line(24, 10).assign_parameters(np.zeros(6))
    with pytest.raises(CapacityError, match=r"observable 0 needs 11 qubits at a time.*at most 10"):
        estimator.run([(deep, z(24, 12))]).result()


@pytest.mark.parametrize("text", NOISES)
def test_a_cone_of_more_qubits_than_a_state_against_aer(text, monkeypatch):
    monkeypatch.setattr(noisy_program, "MAX_DENSITY_QUBITS", 6)
    spec, p = parse_parametric(text), ParameterVector("p", 32)
    circuit = line(8, 4, lambda layer, q: p[8 * layer + q])
    noise = spec.channels()
    engine = noisy_engine(compile_noisy(circuit, noise, list(p)), [z(8, 4), z(8, 3)], 0)
    weights = torch.rand(32, dtype=torch.float64, requires_grad=True)
    values = engine.expectations(torch.zeros(1, 0, dtype=torch.float64), weights)[0]
    (gradient,) = torch.autograd.grad(values[0], weights)

    def aers(numbers):
        state = aer_state(circuit.assign_parameters(numbers), spec)
        letters = [SparsePauliOp(letter) for letter in "IXYZ"]
        means = [[state.expectation_value(each, [q]).real for each in letters] for q in (4, 3)]
        return [noise.measurement(q, "Z") @ mean for q, mean in zip((4, 3), means, strict=True)]

    at = weights.detach().numpy()
    np.testing.assert_allclose(values.detach(), aers(at), atol=1e-10)
    for place in (4, 11, 17, 28):
        turn = np.pi / 2 * np.eye(32)[place]
        shifted = (aers(at + turn)[0] - aers(at - turn)[0]) / 2
        assert gradient[place].item() == pytest.approx(shifted, abs=1e-10)


def test_idle_qubits_that_are_read_are_no_array_of_outcomes():
    circuit = QuantumCircuit(40)
    circuit.x(0)
    z = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], 40) for q in range(40)]
    spec = depolarizing(0.01)
    values = TorchEstimator(noise_model=spec).run([(circuit, z)]).result()[0].data.evs
    np.testing.assert_allclose(values, [-0.999, *[1.0] * 39], atol=1e-6)
    sampled = TorchEstimator(noise_model=spec, default_precision=0.1).run([(circuit, z)])
    with pytest.raises(CapacityError, match="40 qubits are measured together"):
        sampled.result()
