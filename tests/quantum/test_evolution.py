"""e^{-itH} as a gate: what it is given, its definition, and its values in the engine."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_pauli_list
from qiskit.transpiler import generate_preset_pass_manager
from scipy.linalg import expm

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.preflight.advice import evolutions
from qvlm_qiskit.backends.preflight.preflight import preflight
from qvlm_qiskit.errors import CapacityError, CircuitError, QVLMError
from qvlm_qiskit.quantum import (
    BatchedEstimatorGradient,
    HamiltonianEvolution,
    QuantumLayer,
    TorchEstimator,
    make_qnn,
    states,
)
from qvlm_qiskit.quantum.program.circuit_key import circuit_key
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.operations import FixedUnitary
from qvlm_qiskit.quantum.program.program import compile_circuit

A, B, T = Parameter("a"), Parameter("b"), Parameter("t")


def hermitian(num_qubits, seed, real=False):
    rng = np.random.default_rng(seed)
    size = (2**num_qubits, 2**num_qubits)
    made = rng.normal(size=size) + (0 if real else 1j) * rng.normal(size=size)
    return (made + made.conj().T) / 2


def packed(matrix):
    """The vector of entries that the gate takes."""
    side = len(matrix)
    upper = matrix[np.triu_indices(side)]
    if not np.iscomplexobj(matrix):
        return upper
    return np.concatenate([upper.real, matrix[np.triu_indices(side, 1)].imag])


def strings(matrix):
    operator = SparsePauliOp.from_operator(Operator(matrix))
    return dict(zip(operator.paulis.to_labels(), operator.coeffs.real, strict=True))


@pytest.mark.parametrize("steps", [None, 40])
@pytest.mark.parametrize("way", [np.asarray, packed, strings])
@pytest.mark.parametrize(("num_qubits", "real"), [(1, True), (1, False), (2, True), (2, False)])
def test_the_definition_is_the_exponential(num_qubits, real, way, steps):
    matrix = hermitian(num_qubits, 1, real)
    gate = HamiltonianEvolution(way(matrix), 0.3, steps)
    expected = expm(-0.3j * matrix)
    np.testing.assert_allclose(gate.unitary(), expected, atol=1e-12)
    close = 1e-9 if steps is None else 3e-2
    np.testing.assert_allclose(Operator(gate.definition).data, expected, atol=close)
    np.testing.assert_allclose(gate.inverse().unitary(), expected.conj().T, atol=1e-12)


def test_more_steps_come_closer():
    matrix = hermitian(2, 5)
    errors = [
        np.abs(Operator(HamiltonianEvolution(matrix, 0.5, steps)).data - expm(-0.5j * matrix)).max()
        for steps in (4, 8, 16)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.2)


def test_a_parametrised_definition_is_the_bound_one():
    x = ParameterVector("x", 16)
    rng = np.random.default_rng(0)
    values = rng.normal(size=17)
    gate = HamiltonianEvolution([*x[:15], 2 * x[15]], T / 2, steps=2)
    circuit = QuantumCircuit(2)
    circuit.append(gate, [0, 1])
    bound = circuit.decompose().assign_parameters(dict(zip([*x, T], values, strict=True)))
    values[15:] *= (2, 0.5)
    plain = HamiltonianEvolution(values[:16], values[16], steps=2)
    np.testing.assert_allclose(Operator(bound).data, Operator(plain).data, atol=1e-12)


def test_a_matrix_of_parameters_is_symmetric():
    gate = HamiltonianEvolution([[A, B + 1], [B + 1, 0.5]], T)
    assert gate.values == [A, B + 1, 0.5]
    mixed = HamiltonianEvolution([[A, 1j], [-1j, 0.0]], T)
    assert mixed.values == [A, 0.0, 0.0, 1.0]


BAD = [
    ([[0.0, 1.0], [2.0, 0.0]], r"Hermitian: its entry \[0, 1\] is 1.0, and \[1, 0\] is 2.0"),
    ([[1j, 0.0], [0.0, 0.0]], "Hermitian"),
    ([[0.0, A], [B, 0.0]], "Hermitian"),
    ([[0.0, A], [1.0, 0.0]], "Hermitian"),
    ([[0.0] * 3] * 3, "3 × 3"),
    ([[0.0, 1.0]], "1 × 2"),
    ([[1.0]], "1 × 1"),
    ([0.0] * 5, "not 5 values"),
    ([0.0, 1j, 0.0], "real number"),
    ([0.0, float("nan"), 0.0], "finite"),
    ({}, "not none"),
    ({"XX": 1.0, "Z": 1.0}, "'XX', 'Z'"),
    ({"XA": 1.0}, "letters"),
    ({"X": 1j}, "the factor of 'X'"),
    (np.zeros((256, 256)), "at most 7 qubits, this one has 8"),
    ({"X" * 8: A}, "at most 7 qubits"),
]


@pytest.mark.parametrize(("hamiltonian", "said"), BAD)
def test_what_is_no_hamiltonian_is_refused_in_a_line(hamiltonian, said):
    with pytest.raises(QVLMError, match=said) as caught:
        HamiltonianEvolution(hamiltonian, T)
    assert isinstance(caught.value, CapacityError if "at most" in said else CircuitError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "2"])
def test_steps_are_a_positive_number(steps):
    with pytest.raises(CircuitError, match="steps must be"):
        HamiltonianEvolution([1.0, 0.0, 1.0], T, steps)


def test_numbers_are_one_matrix_of_the_program():
    circuit = QuantumCircuit(7)
    circuit.append(HamiltonianEvolution({"XYZXYZX": 1.0, "ZZZZZZZ": 0.3}, 0.2), range(7))
    (only,) = compile_circuit(circuit).operations
    assert isinstance(only, FixedUnitary)


def test_equal_hamiltonians_are_one_of_the_program():
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.append(HamiltonianEvolution([x[0], x[1] * 2, 1.0], T), [qubit])
    circuit.append(HamiltonianEvolution([x[0], x[1] * 3, 1.0], T), [0])
    first, second, third = compile_circuit(circuit).operations
    assert isinstance(first, Evolution)
    assert first.hamiltonian is second.hamiltonian is not third.hamiltonian


def test_keys_tell_hamiltonians_apart():
    def key(*args, **options):
        circuit = QuantumCircuit(1)
        circuit.append(HamiltonianEvolution(*args, **options), [0])
        return circuit_key(circuit)

    keys = [
        key({"X": A, "Y": B}, T), key({"Y": A, "X": B}, T), key({"X": A, "Z": B}, T),
        key({"X": A, "Y": B}, T, steps=2), key({"X": A, "Y": B}, 2 * T), key([A, B, 0.0], T),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key({"X": A, "Y": B}, T) == keys[0]


class Random:
    """A circuit with evolutions in random places, and its values by scipy."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.n = int(self.rng.integers(1, 6))
        self.inputs = ParameterVector("x", 20)
        self.weights = ParameterVector("w", 40)
        self.circuit = QuantumCircuit(self.n)
        known = []
        for number in range(int(self.rng.integers(1, 6))):
            self.gates()
            if not known or self.rng.random() < 0.7:
                known.append(self.hamiltonian(number))
            given, width = known[int(self.rng.integers(len(known)))]
            qubits = self.rng.permutation(self.n)[:width]
            self.circuit.append(HamiltonianEvolution(given, self.value()), qubits.tolist())
        self.gates()
        labels = random_pauli_list(self.n, 3, seed=seed, phase=False).to_labels()
        self.observables = [SparsePauliOp(label) for label in labels]

    def gates(self):
        for qubit in range(self.n):
            self.circuit.ry(self.value(), qubit)
        if self.n > 1:
            self.circuit.cx(*self.rng.permutation(self.n)[:2].tolist())
            self.circuit.rzz(self.value(), 0, self.n - 1)

    def value(self):
        """A number, an input, a weight or an expression of them."""
        x = self.inputs[int(self.rng.integers(len(self.inputs)))]
        w = self.weights[int(self.rng.integers(len(self.weights)))]
        return [0.7, x, w, 2 * w - x, w * x, -0.5][int(self.rng.integers(6))]

    def hamiltonian(self, number):
        width = int(self.rng.integers(1, min(self.n, 4) + 1))
        side = 2**width
        kind = number % 3
        if kind == 0:
            seed = int(self.rng.integers(99))
            labels = set(random_pauli_list(width, 5, seed=seed, phase=False).to_labels())
            return {label: self.value() for label in sorted(labels)}, width
        own = self.rng.choice(np.array([*self.weights, 0.0, 1.0], dtype=object), side * side)
        count = side * side if kind == 1 else side * (side + 1) // 2
        return own[:count].tolist(), width

    def layer(self):
        used = set(self.circuit.parameters)
        groups = [[p for p in vector if p in used] for vector in (self.inputs, self.weights)]
        return QuantumLayer(make_qnn(self.circuit, *groups, self.observables)).double(), groups

    def expected(self, layer, groups, row):
        values = dict(zip([*groups[0], *groups[1]], [*row, *layer.weight.tolist()], strict=True))
        state = np.zeros(2**self.n)
        state[0] = 1
        psi = Statevector(state)
        for item in self.circuit.assign_parameters(values).data:
            qubits = [self.circuit.find_bit(q).index for q in item.qubits]
            gate = item.operation
            if gate.name == "hamiltonian_evolution":
                matrix = gate.form.matrix(torch.tensor(gate.values, dtype=torch.float64))
                gate = Operator(expm(-1j * gate.time * matrix.numpy()))
            psi = psi.evolve(gate, qubits)
        return [psi.expectation_value(o).real for o in self.observables]


MANY = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 105)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [*range(5), *MANY])
def test_random_circuits(seed):
    made = Random(seed)
    layer, groups = made.layer()
    rows = torch.from_numpy(made.rng.normal(size=(3, len(groups[0]))))
    found = layer(rows)
    expected = [made.expected(layer, groups, row) for row in rows.tolist()]
    np.testing.assert_allclose(found.detach(), expected, atol=1e-10)
    engine = layer.differentiable_engine()
    seeds = torch.from_numpy(made.rng.normal(size=tuple(found.shape)))

    def value(inputs, weights):
        return (engine.expectations(inputs, weights) * seeds).sum()

    inputs, weights = rows.requires_grad_(), layer.weight.detach().requires_grad_()
    found = torch.autograd.grad(value(inputs, weights), (inputs, weights), materialize_grads=True)
    twin = torch.func.grad(value, (0, 1))(inputs, weights)  # through torch.matrix_exp
    for one, other in zip(found, twin, strict=True):
        np.testing.assert_allclose(one, other.detach(), atol=1e-9)
    ways = [torch.randn_like(t) for t in (inputs, weights)]
    slope = sum(float((g * way).sum()) for g, way in zip(found, ways, strict=True))
    with torch.no_grad():
        ahead, behind = (
            value(*(t + s * way for t, way in zip((inputs, weights), ways, strict=True)))
            for s in (1e-6, -1e-6)
        )
    assert float(ahead - behind) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1e-160, 1.0, 1e6])
@pytest.mark.parametrize("shape", ["zero", "one", "pairs", "ones"])
def test_equal_levels_and_any_scale_have_gradients(shape, scale, double):
    matrix = {
        "zero": np.zeros((4, 4)),
        "one": np.eye(4),
        "pairs": np.kron(np.array([[1.0, 2.0], [2.0, -1.0]]), np.eye(2)),
        "ones": np.ones((4, 4)),
    }[shape]
    x, w = ParameterVector("x", 10), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.ry(w[1], 1)
    circuit.append(HamiltonianEvolution(list(x), w[0]), [0, 1])
    engine = QuantumLayer(make_qnn(circuit, list(x), list(w))).differentiable_engine()
    dtype = torch.float64 if double else torch.float32
    inputs = torch.from_numpy(packed(scale * matrix))[None].to(dtype).requires_grad_()
    time = 1.3 / max(1.0, scale)
    weights = torch.tensor([time, 0.9], dtype=dtype, requires_grad=True)
    values = engine.expectations(inputs, weights)
    found = torch.autograd.grad(values[0, 0] + 0.3 * values[0, 1], (inputs, weights))
    exact = [t.detach().double().requires_grad_() for t in (inputs, weights)]

    def value(inputs, weights):
        values = engine.expectations(inputs, weights)
        return values[0, 0] + 0.3 * values[0, 1]

    twin = torch.func.grad(value, (0, 1))(*exact)
    for one, other in zip(found, twin, strict=True):
        close = (1e-8 if double else 1e-4) * max(1.0, float(other.detach().abs().max()))
        np.testing.assert_allclose(one.double(), other.detach(), atol=close)


def test_derivatives_of_derivatives():
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianEvolution(list(x), T), [0])
    engine = QuantumLayer(make_qnn(circuit, list(x), [T])).differentiable_engine()
    inputs = torch.tensor([[0.3, -0.2, 0.8], [0.0, 0.0, 0.0]], dtype=torch.float64)
    weights = torch.tensor([0.7], dtype=torch.float64)
    given = inputs.requires_grad_(), weights.requires_grad_()
    assert torch.autograd.gradcheck(engine.expectations, given)
    assert torch.autograd.gradgradcheck(engine.expectations, given)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_transforms_and_forward_derivatives():
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianEvolution(list(x), T), [0])
    layer = QuantumLayer(make_qnn(circuit, list(x), [T])).double()
    rows = torch.rand(3, 3, dtype=torch.float64)
    backward = torch.autograd.functional.jacobian(layer, rows).diagonal(dim1=0, dim2=2)[0].mT
    forward = torch.func.vmap(torch.func.jacfwd(lambda row: layer(row[None])[0]))(rows)[:, 0]
    np.testing.assert_allclose(forward.detach(), backward.detach(), atol=1e-12)


@pytest.mark.slow
def test_exported_before_and_after_a_call():
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianEvolution(list(x), T), [0])
    layer, rows = QuantumLayer(make_qnn(circuit, list(x), [T])), torch.rand(3, 3)
    for _ in range(2):
        program = torch.export.export(layer, (rows,), strict=False).module()
        np.testing.assert_allclose(program(rows).detach(), layer(rows).detach(), atol=1e-6)


def test_weights_alone_are_diagonalised_once(monkeypatch):
    w = ParameterVector("w", 3)
    circuit = QuantumCircuit(2)
    for qubit in (0, 1, 0):
        circuit.rx(A, qubit)
        circuit.append(HamiltonianEvolution(list(w), T), [qubit])
    layer = QuantumLayer(make_qnn(circuit, [A], [*w, T]))
    sizes = []
    eigh = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda m: sizes.append(m.shape) or eigh(m))
    layer(torch.rand(50, 1))
    assert sizes == [(1, 1, 2, 2)]


def test_what_no_observable_sees_is_left_out():
    circuit = QuantumCircuit(3)
    circuit.append(HamiltonianEvolution({"XX": A, "ZI": 1.0}, T), [0, 1])
    circuit.append(HamiltonianEvolution({"XX": B, "ZI": 1.0}, T), [1, 2])
    layer = QuantumLayer(make_qnn(circuit, [A, B], [T], [SparsePauliOp("IIZ")]))
    rows = torch.rand(4, 2, requires_grad=True)
    layer(rows).sum().backward()
    assert layer.differentiable_engine().program.num_qubits == 2
    assert rows.grad[:, 0].abs().min() > 0
    assert not rows.grad[:, 1].any()


def test_the_adjoint_sweep():
    x = ParameterVector("x", 4)
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.append(HamiltonianEvolution({"XY": x[0], "ZI": x[1] * x[0], "YY": 0.4}, T), [2, 0])
    circuit.cx(0, 1)
    circuit.append(HamiltonianEvolution([x[2], x[3], 1.0], x[1]), [1])
    observables = [SparsePauliOp("ZXI"), SparsePauliOp("IYZ")]
    rows = np.random.default_rng(2).normal(size=(1, 5))
    gradient = BatchedEstimatorGradient(TorchEstimator(), method="adjoint")
    found = gradient.run([circuit] * 2, observables, [rows[0]] * 2).result().gradients
    order = list(circuit.parameters)
    engine = TorchEstimator().engine(circuit, observables, order, len(order))
    inputs = torch.from_numpy(rows).requires_grad_()
    expected = torch.autograd.functional.jacobian(
        lambda v: engine.expectations(v, torch.zeros(0, dtype=torch.float64))[0], inputs
    )
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-10)


def some_layer(steps):
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(2, name="some")
    circuit.h(0)
    circuit.append(HamiltonianEvolution(list(x), T, steps), [1])
    circuit.cx(1, 0)
    circuit.ry(A, 0)
    return QuantumLayer(make_qnn(circuit, list(x), [T, A]))


def test_a_machine_runs_the_exact_matrix_row_by_row():
    layer = some_layer(None)
    rows = torch.rand(2, 3)
    exact = layer(rows)
    with layer.run_on(open_backend("aer")):
        found = layer(rows)
    np.testing.assert_allclose(found.detach(), exact.detach(), atol=1e-6)


def test_a_machine_runs_as_many_steps_as_are_asked_for():
    # not random: a short evolution has errors of the order of rounding
    rows = torch.tensor([[0.3, 0.7, 0.5], [0.9, 0.2, 0.6]])
    layers = [some_layer(steps) for steps in (None, 2, 100)]
    values, slopes = [], []
    for layer in layers:
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([0.9, 0.4]))
        values.append(layer(rows).detach())
    for layer, own in zip(layers[1:], values[1:], strict=True):
        for machine in ("statevector", "aer"):
            layer.zero_grad()
            with layer.run_on(open_backend(machine)):
                found = layer(rows)
                found.sum().backward()
            torch.testing.assert_close(found.detach(), own, atol=1e-4, rtol=0)
            slopes.append(layer.weight.grad.clone())
    torch.testing.assert_close(slopes[0], slopes[1], atol=1e-4, rtol=0)
    errors = [float((own - values[0]).abs().max()) for own in values[1:]]
    assert errors[1] < 0.05 * errors[0] < 0.05


@pytest.mark.parametrize(
    ("steps", "said"), [(None, "the exact matrix in gates"), (3, "a product formula of 3 steps")]
)
def test_preflight_says_which(steps, said):
    backend = open_backend("noisy:depolarizing(0.01)")
    report = preflight(backend, some_layer(steps), 2, mitigations=("none",))
    assert report.fits
    assert any(said in note for note in report.notes())


def test_a_circuit_without_evolutions_says_nothing():
    assert evolutions(QuantumCircuit(1)) == []


def test_a_transpiled_product_formula_keeps_its_parameters():
    circuit = QuantumCircuit(2)
    circuit.append(HamiltonianEvolution({"XX": A, "ZI": 0.3, "II": B}, T, steps=1), [0, 1])
    isa = generate_preset_pass_manager(1, basis_gates=["rz", "sx", "x", "cx"]).run(circuit)
    assert set(isa.parameters) == {A, B, T}


def test_a_definition_that_needs_values_waits_for_them():
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianEvolution([A, 0.0, 0.0], T), [0])
    assert circuit.data[0].operation.definition is None
    assert isinstance(
        circuit.assign_parameters([1.0, 2.0]).data[0].operation.definition, QuantumCircuit
    )


@pytest.mark.parametrize("way", [packed, strings])
@pytest.mark.parametrize("real", [True, False])
def test_states_keep_the_phase_of_the_mean_level(way, real):
    matrix = hermitian(2, 5, real) + 0.8 * np.eye(4)
    given = way(matrix)
    circuit, scale = QuantumCircuit(2), Parameter("z")
    scaled = {k: scale * v for k, v in given.items()} if way is strings else scale * given
    circuit.h(0)
    circuit.append(HamiltonianEvolution(scaled, T), [0, 1])
    expected = expm(-1j * 0.4 * 1.5 * matrix) @ np.array([1, 1, 0, 0]) / 2**0.5
    values = torch.tensor([[0.4, 1.5]], dtype=torch.float64, requires_grad=True)  # t before z
    found = states(circuit, values)
    np.testing.assert_allclose(found[0].detach(), expected, atol=1e-12)
    found[0, 3].imag.backward()
    slope = (-1j * matrix @ expected)[3].imag
    np.testing.assert_allclose(values.grad[0], [1.5 * slope, 0.4 * slope], atol=1e-10)


def test_a_product_formula_is_the_same_on_every_estimator_and_in_every_gradient():
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.append(HamiltonianEvolution({"XX": A, "ZI": 0.9, "IY": 0.7}, 0.8, steps=1), [0, 1])
    pub, observable = (circuit, "ZZ", [[0.7]]), SparsePauliOp("ZZ")
    values, slopes = [], []
    for estimator in (StatevectorEstimator(), TorchEstimator(dtype="complex128")):
        values.append(float(estimator.run([pub]).result()[0].data.evs[0]))
        for method in ("adjoint", "param_shift"):
            gradient = BatchedEstimatorGradient(estimator, method=method)
            found = gradient.run([circuit], [observable], [[0.7]]).result().gradients[0]
            slopes.append(float(found[0]))
    np.testing.assert_allclose(values, values[0], atol=1e-10)
    np.testing.assert_allclose(slopes, slopes[0], atol=1e-8)


def test_gates_of_other_strings_are_not_equal():
    one, other = (HamiltonianEvolution({name: A}, 1) for name in ("XX", "ZZ"))
    assert one == HamiltonianEvolution({"XX": A}, 1)
    assert one != other
    assert one != HamiltonianEvolution({"XX": A}, 1, steps=2)
