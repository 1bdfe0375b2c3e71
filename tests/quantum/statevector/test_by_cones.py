"""Circuits as their light cones, against whole states and against one state per cone."""

import copy
import pickle

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.split import SplitEngine
from qvlm_qiskit.quantum.statevector import by_cones
from qvlm_qiskit.quantum.statevector.by_cones import exact_engine
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

X, W = ParameterVector("x", 3), ParameterVector("w", 5)
PARAMETERS = [*X, *W]


@pytest.fixture
def always(monkeypatch):
    """Every circuit is split, whatever that costs."""
    monkeypatch.setattr(by_cones, "WHOLE_QUBITS", 0)
    monkeypatch.setattr(by_cones, "are_worth_it", lambda *_: True)


GATES = [
    lambda c, a, b, q, p: c.rx(a, q),
    lambda c, a, b, q, p: c.ry(2 * a - b + 0.3, q),
    lambda c, a, b, q, p: c.rz(a.sin() * b, q),
    lambda c, a, b, q, p: c.h(q),
    lambda c, a, b, q, p: c.cx(q, p),
    lambda c, a, b, q, p: c.cz(q, p),
    lambda c, a, b, q, p: c.rzz(a, q, p),
    lambda c, a, b, q, p: c.rzx(b, p, q),
    lambda c, a, b, q, p: c.cry(a, q, p),
    lambda c, a, b, q, p: c.u(a, 0.2, b, q),
    lambda c, a, b, q, p: c.append(UnitaryGate(random_unitary(4, seed=1)), [p, q]),
]


def some_circuit(rng, n):
    """Local gates of all kinds, with inputs and weights that many of them share."""
    circuit = QuantumCircuit(n)
    for _ in range(int(rng.integers(4, 4 * n))):
        a, b = PARAMETERS[rng.integers(8)], PARAMETERS[rng.integers(8)]
        q = int(rng.integers(n - 1))  # the last one stays idle
        p = q + 1 if q + 2 < n else q - 1
        GATES[rng.integers(len(GATES))](circuit, a, b, q, p)
    return circuit


def some_observables(rng, n):
    """Sums of local strings, some of them on idle qubits, an identity, and one of all qubits."""
    found = []
    for _ in range(int(rng.integers(1, 5))):
        terms = []
        for _ in range(int(rng.integers(1, 4))):
            qubits = rng.choice(n, rng.integers(0, 3), replace=False).tolist()
            letters = "".join(rng.choice(list("XYZ"), len(qubits)))
            terms.append((letters, qubits, float(rng.normal())))
        found.append(SparsePauliOp.from_sparse_list(terms, num_qubits=n))
    return [*found, SparsePauliOp("Z" * n)] if rng.integers(4) == 0 else found


def gradients(engine, batched, shared, seeds):
    batched, shared = batched.clone().requires_grad_(), shared.clone().requires_grad_()
    values = engine.expectations(batched, shared)
    values.backward(seeds)
    return values.detach(), batched.grad, shared.grad


def assert_like_the_whole(seed, n, num_batched):
    rng = np.random.default_rng(seed)
    circuit, observables = some_circuit(rng, n), some_observables(rng, n)
    split = exact_engine(circuit, observables, PARAMETERS, num_batched)
    assert isinstance(split, SplitEngine)
    whole = StatevectorEngine(compile_circuit(circuit, PARAMETERS), observables, num_batched)
    batched = torch.as_tensor(rng.uniform(-3, 3, (3, num_batched)))
    shared = torch.as_tensor(rng.uniform(-3, 3, 8 - num_batched))
    seeds = torch.as_tensor(rng.normal(size=(3, len(observables))))
    found, expected = (gradients(each, batched, shared, seeds) for each in (split, whole))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    return circuit, observables, batched, shared, found[0]


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.usefixtures("always")
def test_values_and_gradients_are_those_of_the_whole_circuit(seed, twin):
    given = assert_like_the_whole(seed, 3 + seed % 4, (3, 0, 8)[seed % 3])
    circuit, observables, batched, shared, values = given
    row = np.concatenate([batched[0], shared])
    expected = twin(circuit, observables, row[None], PARAMETERS)
    np.testing.assert_allclose(values[:1], expected, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 500))
@pytest.mark.usefixtures("always")
def test_values_and_gradients_of_larger_circuits(seed):
    assert_like_the_whole(seed, 7 + seed % 5, (3, 0, 8)[seed % 3])


def bricks(n, depth, inputs, weights, ring=False):
    """RY of inputs, then layers of RY and CX on neighbours; weights may be shared by all qubits."""
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(inputs[q % len(inputs)], q)
    for layer in range(depth):
        for q in range(n):
            circuit.ry(weights[(layer * n + q) % len(weights)], q)
        for q in range(layer % 2, n if ring else n - 1, 2):
            circuit.cx(q, (q + 1) % n)
    return circuit


def z(n, *qubits):
    return SparsePauliOp.from_sparse_list([("Z" * len(qubits), list(qubits), 1.0)], num_qubits=n)


def by_hand(circuit, observables, parameters, num_batched):
    """A state for each observable's own cone."""
    program = compile_circuit(circuit, parameters)
    engines = [StatevectorEngine(program, [each], num_batched) for each in observables]

    class Cones:
        def expectations(self, batched, shared):
            return torch.cat([each.expectations(batched, shared) for each in engines], dim=1)

    return Cones()


def assert_like_cones_by_hand(n, depth, batch, observables, **options):
    inputs, weights = ParameterVector("x", n), ParameterVector("w", n * depth)
    circuit = bricks(n, depth, inputs, weights, **options)
    parameters = [*inputs, *weights]
    split = exact_engine(circuit, observables, parameters, n)
    assert isinstance(split, SplitEngine)
    slow = by_hand(circuit, observables, parameters, n)
    rng = torch.Generator().manual_seed(0)
    batched = torch.rand(batch, n, generator=rng, dtype=torch.float64)
    shared = torch.rand(n * depth, generator=rng, dtype=torch.float64)
    seeds = torch.rand(batch, len(observables), generator=rng, dtype=torch.float64)
    found, expected = (gradients(each, batched, shared, seeds) for each in (split, slow))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    return split


def test_a_wide_line_is_a_few_plans_run_on_many_cones():
    split = assert_like_cones_by_hand(40, 2, 3, [z(40, q) for q in range(40)])
    # inside the line one shape, at its ends others
    assert len(split.parts) <= 4
    assert max(len(part.rows) for part in split.parts) >= 17
    assert max(part.plan.program.num_qubits for part in split.parts) <= 5


@pytest.mark.usefixtures("always")
def test_equal_cones_may_be_read_differently():
    observables = [z(30, 4), 2.0 * z(30, 9) + 0.5 * z(30, 10), z(30, 15, 16), z(30, 15)]
    split = assert_like_cones_by_hand(30, 2, 2, observables)
    assert [len(part.rows) for part in split.parts] == [3]


def test_a_ring_with_the_same_weights_everywhere_is_one_plan():
    x, w = ParameterVector("x", 30), ParameterVector("w", 2)
    circuit = QuantumCircuit(30)
    for q in range(30):
        circuit.ry(x[q], q)
    for layer in range(2):
        circuit.ry(w[layer], range(30))
        for q in range(layer, 30, 2):
            circuit.cx(q, (q + 1) % 30)
    engine = exact_engine(circuit, [z(30, q) for q in range(30)], [*x, *w], 30)
    (part,) = engine.parts
    assert len(part.rows) == 15
    assert len(part.slots.common) > 0  # what all cones share is computed once
    slow = by_hand(circuit, [z(30, q) for q in range(30)], [*x, *w], 30)
    rows, weights = torch.rand(2, 30, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    seeds = torch.rand(2, 30, dtype=torch.float64)
    for one, other in zip(
        *(gradients(each, rows, weights, seeds) for each in (engine, slow)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@pytest.mark.slow
def test_a_line_of_156_qubits():
    assert_like_cones_by_hand(156, 3, 64, [z(156, q) for q in range(156)])


def test_a_sum_over_all_qubits_is_read_string_by_string():
    total = SparsePauliOp.from_sparse_list([("Z", [q], 0.5) for q in range(40)], num_qubits=40)
    inputs = ParameterVector("x", 40)
    circuit = bricks(40, 1, inputs, [0.3])
    values = torch.rand(2, 40, dtype=torch.float64)
    found = exact_engine(circuit, [total], list(inputs), 40).expectations(values, torch.zeros(0))
    each = exact_engine(circuit, [z(40, q) for q in range(40)], list(inputs), 40)
    expected = 0.5 * each.expectations(values, torch.zeros(0)).sum(1, keepdim=True)
    torch.testing.assert_close(found, expected.double(), atol=1e-12, rtol=0)


def test_a_hundred_qubits_with_one_local_observable():
    inputs = ParameterVector("x", 100)
    circuit = bricks(100, 2, inputs, [0.4])
    pub = (circuit, [z(100, 50)], np.full(100, 0.2))
    found = TorchEstimator(dtype="complex128").run([pub]).result()[0].data.evs
    layer = QuantumLayer(make_qnn(circuit, list(inputs), [], [z(100, 50)]))
    assert layer(torch.full((1, 100), 0.2, dtype=torch.float64)).item() == pytest.approx(found[0])


def wide_layer(n=20, depth=2):
    inputs, weights = ParameterVector("x", n), ParameterVector("w", n * depth)
    circuit = bricks(n, depth, inputs, weights)
    return QuantumLayer(make_qnn(circuit, list(inputs), list(weights)))


def test_what_is_far_cheaper_apart_is_split_and_what_is_not_stays_whole():
    assert isinstance(wide_layer()._engines.exact(False), SplitEngine)
    assert isinstance(wide_layer(12)._engines.exact(False), StatevectorEngine)
    chain = QuantumCircuit(13)
    for q in range(12):
        chain.cx(q, q + 1)
    whole = exact_engine(chain, [z(13, q) for q in range(13)], [], 0)
    assert isinstance(whole, StatevectorEngine)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layer_of_either_precision_and_its_copies(dtype):
    layer = wide_layer()
    inputs = torch.rand(3, 20, dtype=dtype)
    values = layer(inputs)
    assert values.dtype == dtype
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(inputs), values, atol=0, rtol=0)
    engine = pickle.loads(pickle.dumps(layer._engines.exact(False)))
    found = engine.expectations(inputs.double(), layer.weight.double())
    torch.testing.assert_close(found, values.double(), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_an_exported_layer_takes_batches_of_any_size():
    layer = wide_layer(14, 1)
    rows = torch.rand(5, 14, dtype=torch.float64)
    sizes = {"input_data": {0: torch.export.Dim("batch", min=2, max=64)}}
    exported = torch.export.export(layer, (rows[:3],), dynamic_shapes=sizes, strict=False)
    torch.testing.assert_close(exported.module()(rows), layer(rows), atol=1e-12, rtol=0)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_transforms_and_second_derivatives_go_through():
    layer = wide_layer(14, 1)
    rows = torch.rand(2, 14, dtype=torch.float64)

    def value(row):
        return layer(row).sum()

    expected = torch.stack([torch.autograd.functional.jacobian(value, row) for row in rows])
    found = torch.func.vmap(torch.func.grad(value))(rows)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    tangent = torch.ones(14, dtype=torch.float64)
    _, forward = torch.func.jvp(value, (rows[0],), (tangent,))
    torch.testing.assert_close(forward, expected[0].sum(), atol=1e-6, rtol=0)
    hessian = torch.autograd.functional.hessian(value, rows[0])
    assert hessian.abs().max() > 0.01


@pytest.mark.parametrize("batch", [0, 2])
def test_identities_and_idle_qubits_need_no_state(batch):
    inputs = ParameterVector("x", 40)
    circuit = QuantumCircuit(100)
    circuit.compose(bricks(40, 1, inputs, [0.3]), range(40), inplace=True)
    nothing = SparsePauliOp.from_sparse_list([("", [], 3.0), ("Z", [70], 0.5)], num_qubits=100)
    zero = SparsePauliOp.from_sparse_list([("XZ", [70, 2], 1.0)], num_qubits=100)
    engine = exact_engine(circuit, [nothing, zero], list(inputs), 40)
    rows = torch.rand(batch, 40, requires_grad=True)
    values = engine.expectations(rows, torch.zeros(0))
    assert values.tolist() == [[3.5, 0.0]] * batch
    values.sum().backward()
    assert rows.grad.abs().sum() == 0
    assert exact_engine(circuit, [], list(inputs), 40).expectations(rows, torch.zeros(0)).shape == (
        batch,
        0,
    )


def test_an_empty_batch_has_gradients_of_zero():
    layer = wide_layer()
    layer(torch.zeros(0, 20, requires_grad=True)).sum().backward()
    assert layer.weight.grad.abs().sum() == 0


@pytest.mark.parametrize("graph", [True, False])
def test_what_takes_much_memory_is_run_in_portions(monkeypatch, graph):
    layer = wide_layer()
    inputs = torch.rand(5, 20, dtype=torch.float64)

    def run():
        layer.weight.grad = None
        with torch.set_grad_enabled(graph):
            values = layer(inputs)
        if graph:
            values.pow(2).sum().backward()
        return values.detach(), layer.weight.grad

    expected = run()
    monkeypatch.setattr("qvlm_qiskit.quantum.split.KEPT_BYTES", 1 << 12)
    for one, other in zip(run(), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_what_is_too_wide_for_any_state_says_what_to_use():
    n = state_qubits() + 4
    circuit = QuantumCircuit(n)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    says = rf"cone of observable 1 acts on {n} qubits.*at most {state_qubits()} .*matrix_product"
    for refused in (
        lambda: exact_engine(circuit, [z(n, 0), z(n, n - 1)], [], 0),
        lambda: TorchEstimator().run([(circuit, [z(n, 0), z(n, n - 1)])]).result(),
    ):
        with pytest.raises(CapacityError, match=says):
            refused()


def test_what_is_wrong_is_refused_as_it_is_on_a_whole_circuit():
    circuit = bricks(30, 1, [0.1], [0.2])
    with pytest.raises(CircuitError, match="acts on 3 qubits, the circuit has 30"):
        exact_engine(circuit, [SparsePauliOp("ZZZ")], [], 0)
    with pytest.raises(CircuitError, match="not Hermitian"):
        exact_engine(circuit, [1j * z(30, 2)], [], 0)
    with pytest.raises(InputError, match="loads no amplitudes"):
        wide_layer()._engines.exact(False).expectations(
            torch.zeros(1, 20), torch.zeros(40), torch.ones(1, 8)
        )
    assert wide_layer()._engines.exact(False).num_loaded == 0
