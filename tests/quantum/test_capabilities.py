"""What circuits may hold and how they are read, on random circuits, against slow twins.

A twin computes one row with qiskit.quantum_info and scipy; slopes along a random direction are
differences of five points. Every exact estimator answers the same circuits, shots every 20th.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_pauli_list
from scipy.linalg import expm

from qvlm_qiskit import QuantumLayer, open_backend
from qvlm_qiskit.backends.pubs.unmeasured import measures_in_its_middle
from qvlm_qiskit.quantum import HamiltonianEvolution, fidelity_kernel, make_qnn, states
from qvlm_qiskit.quantum.density import by_cones as noisy_cones
from qvlm_qiskit.quantum.statevector import by_cones
from tests.quantum.program.dynamic import branch_values, random_circuit

SHOTS = 1000
EXACT, SLOPE = 1e-10, 1e-8
# what a value and a slope of unit length may differ by
ESTIMATORS = {
    "statevector": ({}, EXACT, SLOPE),
    "aer": ({}, EXACT, SLOPE),
    "noisy:depolarizing(0)": ({"precision": 0}, EXACT, SLOPE),
    "aer with shots": ({"shots": SHOTS, "seed": 1}, 6 / SHOTS**0.5, 30 / SHOTS**0.5),
}
EXACTLY = [name for name, (_, close, _) in ESTIMATORS.items() if close == EXACT]
ANGLED = ("rx", "ry", "rz", "p")
SEEDS = [pytest.param(range(1), id="one"), pytest.param(range(1, 100), marks=pytest.mark.slow)]


def asked(seed):
    return ESTIMATORS if seed % 20 == 1 else EXACTLY


@dataclass
class Drawn:
    """A layer and its twin.

    Attributes:
        layer: In doubles.
        rows: What it is called with, ``(B, …)``.
        twin: A row and its weights to what is read.
        weights: Given with the call where not None, else the layer's own.
        sloped: Estimators that are asked for slopes.
    """

    layer: Any
    rows: Any
    twin: Any
    weights: Any = None
    sloped: Any = frozenset(ESTIMATORS)

    def slow(self, rows, weights):
        shape = self.layer.neural_network.output_shape
        lead = rows.shape[:-1]
        own = np.broadcast_to(weights, (*lead, weights.shape[-1]))
        flat = zip(rows.reshape(-1, rows.shape[-1]), own.reshape(-1, own.shape[-1]), strict=True)
        return np.array([self.twin(row, weight) for row, weight in flat]).reshape(*lead, *shape)


def scrambled(rng, circuit, angles, length=6):
    """Append gates; every angle turns something."""
    for angle in [*angles, *rng.uniform(-3, 3, length - len(angles))]:
        first, second = (int(q) for q in rng.permutation(circuit.num_qubits)[:2])
        kind = rng.integers(6)
        if kind < 4:
            getattr(circuit, ANGLED[kind])(rng.choice([1.0, 0.7]) * angle + 0.1, first)
        elif kind == 4:
            circuit.crx(angle, first, second)
        else:
            circuit.rzz(angle, first, second)
        (circuit.cx if rng.integers(2) else circuit.cz)(second, first)
        circuit.ry(rng.uniform(-2, 2), second)
    return circuit


def strings(rng, num_qubits, count=2):
    return [SparsePauliOp(p) for p in random_pauli_list(num_qubits, count, rng, phase=False)]


def evolved(circuit, given):
    """The final state; evolutions by exponentials of their matrices."""
    state = Statevector.from_int(0, 2**circuit.num_qubits)
    for item in circuit.assign_parameters(given).data:
        gate = item.operation
        if gate.name == "hamiltonian_evolution" and gate.steps is None:
            matrix = gate.form.matrix(torch.tensor(gate.values, dtype=torch.float64)).numpy()
            gate = Operator(expm(-1j * gate.time * matrix))
        elif gate.name == "PauliEvolution":
            gate = Operator(expm(-1j * float(gate.time) * gate.operator.to_matrix()))
        state = state.evolve(gate, [circuit.find_bit(q).index for q in item.qubits])
    return state


def by_statevector(circuit, x, w, observables):
    def twin(row, weight):
        state = evolved(circuit, dict(zip([*x, *w], [*row, *weight], strict=True)))
        return [state.expectation_value(o).real for o in observables]

    return twin


def drawn_plain(rng, num_qubits=3, inputs=2, **options):
    """A circuit, its parameters and its observables, as a layer with its twin."""
    x, w = ParameterVector("x", inputs), ParameterVector("w", 2)
    circuit = scrambled(rng, QuantumCircuit(num_qubits), [*x, *w])
    observables = strings(rng, num_qubits)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w), observables), **options).double()
    return layer, by_statevector(circuit, x, w, observables)


def probabilities(rng):
    x, w = ParameterVector("x", 1), ParameterVector("w", 2)
    circuit = scrambled(rng, QuantumCircuit(3), [*x, *w])
    qubits = rng.permutation(3)[: rng.integers(1, 4)].tolist()
    network = make_qnn(circuit, list(x), list(w), read="probabilities", qubits=qubits)

    def twin(row, weight):
        given = dict(zip([*x, *w], [*row, *weight], strict=True))
        return Statevector(circuit.assign_parameters(given)).probabilities(qubits)

    return Drawn(QuantumLayer(network).double(), rng.uniform(-2, 2, (2, 1)), twin)


def groups(rng):
    layer, twin = drawn_plain(rng, inputs=1, groups=2)
    return Drawn(layer, rng.uniform(-2, 2, (2, 2, 1)), twin)


def weights_per_sample(rng):
    layer, twin = drawn_plain(rng)
    return Drawn(layer, rng.uniform(-2, 2, (2, 2)), twin, rng.uniform(-2, 2, (2, 2)))


def commuting_evolutions(rng):
    x, w = ParameterVector("x", 1), ParameterVector("w", 2)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], range(3))
    first = random_pauli_list(3, 1, rng, phase=False)[0]
    others = [p for p in random_pauli_list(3, 12, rng, phase=False) if p.commutes(first)]
    together = [first, *(p for p in others[:1] if not p.equiv(first))]
    operator = SparsePauliOp(together, rng.normal(size=len(together)))
    circuit.append(PauliEvolutionGate(operator, w[0]), range(3))
    scrambled(rng, circuit, [w[1]], 3)
    observables = strings(rng, 3)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w), observables)).double()
    return Drawn(layer, rng.uniform(-2, 2, (2, 1)), by_statevector(circuit, x, w, observables))


def measured_in_the_middle(rng):
    circuit, names = random_circuit(rng, num_qubits=2, length=5, parameters=2)
    while not measures_in_its_middle(circuit):  # at their end estimators measure by themselves
        circuit, names = random_circuit(rng, num_qubits=2, length=5, parameters=2)
    x, w = names[:1], names[1:]
    observables = strings(rng, 2)

    def twin(row, weight):
        given = dict(zip([*x, *w], [*row, *weight], strict=True))
        return branch_values(circuit.assign_parameters(given), observables)

    layer = QuantumLayer(make_qnn(circuit, x, w, observables)).double()
    # shots of such circuits are simulated one by one
    return Drawn(layer, rng.uniform(-2, 2, (2, 1)), twin, sloped={*EXACTLY})


def light_cones(rng):
    x, w = ParameterVector("x", 5), ParameterVector("w", 5)
    circuit = QuantumCircuit(5)
    for qubit in range(5):
        circuit.ry(x[qubit], qubit)
        circuit.rx(rng.normal() * w[qubit] + 0.3, qubit)
    for first in rng.permutation(4)[:3].tolist():
        circuit.cx(first, first + 1)
        circuit.ry(rng.normal() * w[first], first)
    places = rng.permutation(5)[:3].tolist()
    observables = [
        SparsePauliOp.from_sparse_list([(str(rng.choice(list("XYZ"))), [q], 1.0)], num_qubits=5)
        for q in places
    ]
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w), observables)).double()
    return Drawn(layer, rng.uniform(-2, 2, (2, 5)), by_statevector(circuit, x, w, observables))


def with_evolutions(rng, steps):
    x, w = ParameterVector("x", 3), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(w[1], [0, 1])
    qubit = int(rng.integers(2))
    circuit.append(HamiltonianEvolution(list(x), w[0], steps=steps), [qubit])
    circuit.crx(0.7, 0, 1)
    circuit.append(HamiltonianEvolution(list(x), 0.4, steps=steps), [1 - qubit])
    observables = strings(rng, 2)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w), observables)).double()
    return Drawn(layer, rng.uniform(-2, 2, (2, 3)), by_statevector(circuit, x, w, observables))


def hamiltonian_evolutions(rng):
    drawn = with_evolutions(rng, None)
    drawn.sloped = {"statevector"}  # the matrix of every row has no shift rule
    return drawn


def product_formulas(rng):
    return with_evolutions(rng, int(rng.integers(1, 4)))


CAPABILITIES = [
    probabilities,
    groups,
    weights_per_sample,
    commuting_evolutions,
    measured_in_the_middle,
    light_cones,
    hamiltonian_evolutions,
    product_formulas,
]


def slope(function, size):
    """Of a function of a number, at 0."""
    near, far = ((function(k * size) - function(-k * size)) / (2 * k * size) for k in (1, 2))
    return (4 * near - far) / 3


def call(drawn, rows, given):
    return drawn.layer(rows) if drawn.weights is None else drawn.layer(rows, weight=given)


@pytest.fixture
def split_always(monkeypatch):
    """Circuits of any width are run as their light cones."""
    for module in (by_cones, noisy_cones):
        monkeypatch.setattr(module, "WHOLE_QUBITS", 0)
        monkeypatch.setattr(module, "are_worth_it", lambda *_: True)


@pytest.fixture(scope="module")
def backends():
    return {
        name: open_backend(name.removesuffix(" with shots"), **options)
        for name, (options, _, _) in ESTIMATORS.items()
    }


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("draw", CAPABILITIES)
def test_values_and_slopes_are_those_of_the_slow_twin(draw, seeds, backends, request):
    if draw is light_cones:
        request.getfixturevalue("split_always")
    for seed in seeds:
        rng = np.random.default_rng(seed)
        drawn = draw(rng)
        own = drawn.layer.weight.detach().numpy() if drawn.weights is None else drawn.weights
        way = [rng.normal(size=array.shape) for array in (drawn.rows, own)]
        way = [part / np.sqrt(sum((each**2).sum() for each in way)) for part in way]
        expected = drawn.slow(drawn.rows, own)
        factors = rng.normal(size=expected.shape)
        factors /= np.sqrt((factors**2).sum())
        steep = slope(
            lambda t, d=drawn, o=own, w=way, f=factors: (
                f * d.slow(d.rows + t * w[0], o + t * w[1])
            ).sum(),
            2e-3,
        )
        for name in asked(seed):
            _, close, near = ESTIMATORS[name]
            rows = torch.from_numpy(drawn.rows).requires_grad_()
            given = torch.from_numpy(own.copy()).requires_grad_()
            drawn.layer.run_on(backends[name], gradient="param_shift")
            drawn.layer.zero_grad()
            values = call(drawn, rows, given)
            where = f"{draw.__name__}, seed {seed}, on {name}"
            np.testing.assert_allclose(values.detach(), expected, atol=close, err_msg=where)
            if name not in drawn.sloped:
                continue
            (values * torch.from_numpy(factors)).sum().backward()
            leaf = drawn.layer.weight if drawn.weights is None else given
            found = sum(
                float((tensor.grad.numpy() * part).sum())
                for tensor, part in ((rows, way[0]), (leaf, way[1]))
                if tensor.grad is not None
            )
            assert found == pytest.approx(steep, abs=near), where


@pytest.mark.parametrize("seeds", SEEDS)
def test_states_and_kernels_are_those_of_the_slow_twin(seeds, backends):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x = ParameterVector("x", 2)
        circuit = scrambled(rng, QuantumCircuit(int(rng.integers(2, 4))), list(x))
        points, way = rng.uniform(-2, 2, (3, 2)), rng.normal(size=(3, 2))
        factors = rng.normal(size=(3, 3))

        def slow(rows, circuit=circuit):
            return np.array([Statevector(circuit.assign_parameters(row)).data for row in rows])

        def fidelities(rows, slow=slow):
            made = slow(rows)
            return np.abs(made.conj() @ made.T) ** 2

        given = torch.from_numpy(points).requires_grad_()
        np.testing.assert_allclose(states(circuit, given).detach(), slow(points), atol=EXACT)
        found = fidelity_kernel(circuit, given).values
        np.testing.assert_allclose(found.detach(), fidelities(points), atol=EXACT)
        (found * torch.from_numpy(factors)).sum().backward()
        steep = slope(
            lambda t, p=points, w=way, f=factors, k=fidelities: (f * k(p + t * w)).sum(), 2e-3
        )
        assert float((given.grad.numpy() * way).sum()) == pytest.approx(steep, abs=100 * SLOPE)
        for name in asked(seed) if seed % 4 == 1 else ():
            close = ESTIMATORS[name][1]
            found = fidelity_kernel(circuit, points, backend=backends[name]).values
            np.testing.assert_allclose(found, fidelities(points), atol=close, err_msg=name)
