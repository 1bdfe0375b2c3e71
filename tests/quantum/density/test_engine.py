"""The density-matrix engine against Aer's density matrix and against plain matrix products."""

import itertools

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Gate, ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp, SuperOp
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2, FakeSherbrooke

from qvlm_qiskit.errors import BackendError, CapacityError, CircuitError
from qvlm_qiskit.noise_models import (
    build,
    calibrated,
    combined,
    parse_parametric,
    restricted,
    with_crosstalk,
)
from qvlm_qiskit.pauli_transfer import unitary_ptm
from qvlm_qiskit.quantum import BatchedEstimatorGradient, TorchEstimator
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from qvlm_qiskit.quantum.density.superoperators import rotation_ptm, swapped
from qvlm_qiskit.quantum.program.program import PauliRotation

FAMILIES = [
    "depolarizing(0.03,0.01)",
    "amplitude_damping(0.05,0.02)",
    "phase_damping(0.05,0.02)",
    "thermal(t1_us=20,t2_us=30)",
    "over_rotation(0.1)",
    "zz(0.3)",
]
TOGETHER = "+".join([*FAMILIES, "readout(0.02,0.05)"])
LETTERS = "IXYZ"


def layered(num_qubits, seed, rotations=False):
    """A circuit of per-sample and shared angles, not symmetric in its qubits; its parameters."""
    inputs = ParameterVector("x", 2 * num_qubits)
    weights = ParameterVector("w", 2 * num_qubits)
    circuit = QuantumCircuit(num_qubits)
    order = np.random.default_rng(seed).permutation(num_qubits)
    for q in range(num_qubits):
        circuit.ry(inputs[q], q)
        circuit.rz(2 * inputs[num_qubits + q] + weights[0], q)
    for a, b in itertools.pairwise(order):
        circuit.cx(int(a), int(b))
        if rotations:
            circuit.rzz(inputs[0] - weights[1], int(b), int(a))
    for q in range(num_qubits):
        circuit.rx(weights[q], q)
    for a, b in itertools.pairwise(order):
        circuit.cx(int(b), int(a))
        if rotations:
            circuit.rxx(weights[2], int(b), int(a))
    circuit.ry(weights[num_qubits] * weights[1], 0)
    for q in range(1, num_qubits):
        circuit.ry(weights[num_qubits + q], q)
    return circuit, [*inputs, *weights]


def aer_state(circuit, spec):
    bound = with_crosstalk(circuit, spec)
    bound.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=build(spec))
    return DensityMatrix(np.asarray(simulator.run(bound).result().data()["density_matrix"]))


def pauli(index, num_qubits):
    return "".join(LETTERS[index >> (2 * q) & 3] for q in reversed(range(num_qubits)))


def assert_states_agree(isa, parameters, spec, tolerance, rows=2, seed=0):
    """Pauli components of the final states against Aer's, from the same description."""
    n, rng = isa.num_qubits, np.random.default_rng(seed)
    split = len(parameters) // 2
    batched = rng.uniform(-3, 3, (rows, split))
    shared = rng.uniform(-3, 3, len(parameters) - split)
    program = compile_noisy(isa, spec.channels(), parameters)
    engine = DensityEngine(program, [SparsePauliOp("Z" * n)], split)
    found = engine.components(torch.tensor(batched), torch.tensor(shared)).numpy()
    for row in range(rows):
        bound = isa.assign_parameters(dict(zip(parameters, [*batched[row], *shared], strict=True)))
        state = aer_state(bound, spec)
        for index in rng.choice(4**n, min(4**n, 40), replace=False):
            expected = state.expectation_value(SparsePauliOp(pauli(index, n))).real
            assert found[row, index] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("text", [*FAMILIES, TOGETHER])
@pytest.mark.parametrize("num_qubits", [1, 3])
def test_parametric_noise_is_aers(text, num_qubits):
    circuit, parameters = layered(num_qubits, seed=num_qubits)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    assert_states_agree(isa, parameters, parse_parametric(text), 1e-12)


@pytest.mark.parametrize(
    ("device", "qubits"),
    [(FakeManilaV2, (1, 2, 3, 4)), (FakeLagosV2, (1, 3, 5)), (FakeSherbrooke, (21, 22, 23))],
)
@pytest.mark.parametrize("more", [None, TOGETHER])
def test_calibrated_noise_is_aers(device, qubits, more):
    spec = calibrated(device().target, qubits)
    if more:
        spec = combined(spec, parse_parametric(more, spec.basis_gates))
    circuit, parameters = layered(len(qubits), seed=4)
    pairs = [list(gate.qubits) for gate in spec.gates if gate.width == 2]
    gates = [name for name in spec.basis_gates if name in ("rz", "sx", "x", "cx", "ecr")]
    isa = transpile(
        circuit, basis_gates=gates, coupling_map=pairs, optimization_level=2, seed_transpiler=1
    )
    # Aer itself deviates from its own errors by some 1e-9: see the next test
    assert_states_agree(isa, parameters, spec, 1e-8)


def test_calibrated_noise_is_exact_against_plain_superoperators():
    """The errors that Aer's model holds, applied one by one by Qiskit's quantum_info."""
    spec = calibrated(FakeManilaV2().target, (1, 2))
    circuit, _ = layered(2, seed=6)
    values = np.random.default_rng(6).uniform(-3, 3, circuit.num_parameters)
    isa = transpile(
        circuit.assign_parameters(values), basis_gates=["rz", "sx", "x", "cx"], optimization_level=1
    )
    errors = build(spec)._local_quantum_errors
    state = DensityMatrix.from_int(0, 4)
    for item in isa.data:
        qubits = tuple(isa.find_bit(bit).index for bit in item.qubits)
        state = state.evolve(Operator(item.operation), list(qubits))
        if qubits in errors.get(item.name, {}):
            state = state.evolve(SuperOp(errors[item.name][qubits]), list(qubits))
    nothing = torch.zeros(1, 0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    program = compile_noisy(isa, spec.channels())
    found = DensityEngine(program, [SparsePauliOp("ZZ")], 0).components(*nothing).numpy()[0]
    expected = [state.expectation_value(SparsePauliOp(pauli(i, 2))).real for i in range(16)]
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_two_qubit_rotations_may_be_noisy_and_differ_from_sample_to_sample():
    circuit, parameters = layered(3, seed=5, rotations=True)
    basis = ("rz", "sx", "x", "cz", "rzz", "rxx")
    spec = parse_parametric("depolarizing(0.03)+amplitude_damping(0.04)", basis)
    isa = transpile(circuit, basis_gates=list(basis), optimization_level=1)
    assert {"rzz", "rxx"} <= set(isa.count_ops())
    assert_states_agree(isa, parameters, spec, 1e-12)


def test_single_precision_is_single():
    circuit, parameters = layered(3, seed=1)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(TOGETHER).channels(), parameters)
    engine = DensityEngine(program, [SparsePauliOp("ZZZ")], 6)
    values = torch.rand(4, 6, dtype=torch.float64), torch.rand(6, dtype=torch.float64)
    exact, rough = engine.expectations(*values), engine.expectations(*(v.float() for v in values))
    assert (exact.dtype, rough.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(rough.double(), exact, atol=1e-5, rtol=0)


def test_superoperators_are_those_of_the_gates():
    rng = np.random.default_rng(0)
    for x, z in ((1, 0), (0, 1), (1, 1), (3, 0), (2, 1), (3, 3), (1, 2)):
        rotation = PauliRotation(x, z, 0)
        qubits, parts = rotation_ptm(rotation)
        label = "".join(
            {(0, 0): "I", (1, 0): "X", (0, 1): "Z", (1, 1): "Y"}[x >> q & 1, z >> q & 1]
            for q in reversed(qubits)
        )
        angle = rng.uniform(-3, 3)
        generator = Operator(SparsePauliOp(label)).data
        matrix = np.cos(angle / 2) * np.eye(len(generator)) - 1j * np.sin(angle / 2) * generator
        whole = parts[0] + np.cos(angle) * parts[1] + np.sin(angle) * parts[2]
        np.testing.assert_allclose(whole, unitary_ptm(matrix), atol=1e-12)
    gate = QuantumCircuit(2)
    gate.cx(0, 1)
    turned = QuantumCircuit(2)
    turned.cx(1, 0)
    first, second = (unitary_ptm(Operator(circuit).data) for circuit in (gate, turned))
    np.testing.assert_allclose(swapped(first), second, atol=1e-12)


def noisy_expectations(isa, spec, observables):
    """The slow twin: Aer's state, the device's basis change as a circuit, flips on the diagonal."""
    values = []
    for label in observables:
        measured = isa.copy()
        n = isa.num_qubits
        for qubit, letter in enumerate(reversed(label)):
            rotation = QuantumCircuit(1)
            if letter == "Y":
                rotation.sdg(0)
            if letter in "XY":
                rotation.h(0)
            native = transpile(rotation, basis_gates=["rz", "sx", "x"], optimization_level=3)
            measured.compose(native, [qubit], inplace=True)
        probabilities = aer_state(measured, spec).probabilities()
        for qubit in range(n):
            up, down = spec.readout(qubit)
            shaped = probabilities.reshape(2 ** (n - 1 - qubit), 2, 2**qubit)
            flips = np.array([[1 - up, down], [up, 1 - down]])
            probabilities = np.einsum("ij,ajb->aib", flips, shaped).reshape(-1)
        signs = [
            (-1) ** sum(i >> q & 1 for q, letter in enumerate(reversed(label)) if letter != "I")
            for i in range(2**n)
        ]
        values.append(probabilities @ signs)
    return np.array(values)


@pytest.mark.parametrize("label", ["manila", TOGETHER])
def test_measured_values_carry_basis_changes_and_readout(label):
    spec = parse_parametric(label) if "(" in label else restricted(
        calibrated(FakeManilaV2().target), (0, 1, 2)
    )  # fmt: skip
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.4 + q, q)
    entangler = "cz" if "cz" in spec.basis_gates else "cx"
    getattr(circuit, entangler)(0, 1)
    getattr(circuit, entangler)(1, 2)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", entangler], optimization_level=1)
    labels = ["IIZ", "ZZI", "XIY", "YXZ", "IXI", "ZZZ"]
    estimator = TorchEstimator(noise_model=spec, dtype="complex128")
    found = estimator.run([(isa, labels)]).result()[0]
    np.testing.assert_allclose(found.data.evs, noisy_expectations(isa, spec, labels), atol=1e-8)
    assert found.metadata["exact"]


def test_an_observable_may_lie_on_idle_qubits_and_be_a_sum():
    spec = parse_parametric("readout(0.1,0.3)+depolarizing(0.1)")
    circuit = QuantumCircuit(4)
    circuit.sx(1)
    estimator = TorchEstimator(noise_model=spec, dtype="complex128")
    sums = SparsePauliOp(["IIII", "ZIII", "ZIZI", "IXII"], [0.5, 2.0, -1.0, 3.0])
    evs = estimator.run([(circuit, ["ZIII", "IIZI", "IIII", sums])]).result()[0].data.evs
    # ⟨Z⟩ → 0.6·⟨Z⟩ + 0.2, and |0⟩ on every idle qubit; a noisy sx reads ⟨Z⟩ = 0
    np.testing.assert_allclose(evs, [0.8, 0.2, 1.0, 0.5 + 1.6 - 0.16 + 0.6], atol=1e-12)


@pytest.mark.parametrize("num_batched", [0, 6, 12])
def test_gradients_are_those_of_finite_differences(num_batched):
    circuit, parameters = layered(3, seed=2)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(TOGETHER).channels(), parameters)
    observables = [SparsePauliOp(label) for label in ("IIZ", "XZI", "YIY")]
    engine = DensityEngine(program, observables, num_batched)
    generator = torch.Generator().manual_seed(1)
    values = [
        torch.rand(*shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((2, num_batched), (12 - num_batched,))
    ]
    assert torch.autograd.gradcheck(engine.expectations, values)


def test_portions_change_nothing(monkeypatch):
    circuit, parameters = layered(2, seed=2)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(TOGETHER).channels(), parameters)
    engine = DensityEngine(program, [SparsePauliOp("ZI"), SparsePauliOp("IX")], 4)
    generator = torch.Generator().manual_seed(3)
    batched = torch.rand(7, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    shared = torch.rand(4, dtype=torch.float64, generator=generator, requires_grad=True)

    def results():
        values = engine.expectations(batched, shared)
        gradients = torch.autograd.grad(values.square().sum(), (batched, shared))
        with torch.no_grad():
            return (
                values,
                *gradients,
                engine.expectations(batched, shared),
                *engine.outcomes(batched, shared),
            )

    whole = results()
    monkeypatch.setattr(DensityEngine, "_rows_per_portion", lambda *_: 2)
    for one, other in zip(whole, results(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    circuit, parameters = layered(3, seed=2)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(TOGETHER).channels(), parameters)
    engine = DensityEngine(program, [SparsePauliOp("ZII")], 6)
    monkeypatch.setattr("qvlm_qiskit.quantum.density.engine.memory_bytes", lambda: 10_000)
    batched, shared = torch.rand(2, 6, requires_grad=True), torch.rand(6)
    with pytest.raises(CapacityError, match=r"gradient of one sample .* trajectories"):
        engine.expectations(batched, shared)
    with torch.no_grad():
        assert engine.expectations(batched, shared).shape == (2, 1)


def test_too_many_qubits_are_sent_to_trajectories():
    circuit = QuantumCircuit(12)
    circuit.sx(range(11))
    with pytest.raises(CapacityError, match=r"11 qubits.*at most 10.*trajectories.*method='aer'"):
        TorchEstimator(noise_model=parse_parametric("zz(0.1)")).run([(circuit, "Z" * 12)]).result()
    circuit.data.pop()
    values = TorchEstimator(noise_model=parse_parametric("depolarizing(0.01)"))
    assert values.run([(circuit, "Z" + 11 * "I")]).result()[0].data.evs == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("build_circuit", "says"),
    [
        (lambda c: c.h(0), "'h' is no gate"),
        (lambda c: c.delay(100, 0), "delay"),
        (lambda c: c.measure_all(), "measure"),
        (lambda c: c.append(Gate("sx", 1, []), [0]), "no standard gate"),
    ],
)
def test_what_is_not_isa_is_refused(build_circuit, says):
    circuit = QuantumCircuit(2)
    build_circuit(circuit)
    estimator = TorchEstimator(noise_model=parse_parametric("depolarizing(0.1)"))
    with pytest.raises(CircuitError, match=says):
        estimator.run([(circuit, "ZZ")]).result()


def test_rows_are_run_in_one_batch_and_engines_are_kept():
    circuit, _ = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    estimator = TorchEstimator(noise_model=parse_parametric(TOGETHER), dtype="complex128")
    rows = np.random.default_rng(0).uniform(-3, 3, (3, 2, isa.num_parameters))
    rows[..., 4:] = rows[0, 0, 4:]
    together = estimator.run([(isa, [[["ZI"]], [["IX"]]], rows)]).result()[0].data.evs
    assert together.shape == (2, 3, 2)
    assert [engine.num_batched for engine in estimator._engines.values()] == [4]
    for index in np.ndindex(3, 2):
        alone = estimator.run([(isa, ["ZI", "IX"], rows[index])]).result()[0].data.evs
        np.testing.assert_allclose(together[:, *index], alone, atol=1e-13)
    estimator.run([(isa.copy(), [[["ZI"]], [["IX"]]], rows)]).result()
    assert len(estimator._engines) == 2


def test_shots_are_drawn_from_the_exact_distribution():
    circuit, _ = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    estimator = TorchEstimator(noise_model=parse_parametric(TOGETHER), dtype="complex128", seed=7)
    values = np.random.default_rng(0).uniform(-3, 3, isa.num_parameters)
    rows = np.repeat(values[None], 600, axis=0)
    observable = SparsePauliOp(["ZZ", "IZ", "XI", "II"], [1.0, 0.7, -0.5, 2.0])
    exact = estimator.run([(isa, observable, values)]).result()[0].data.evs
    found = estimator.run([(isa, observable, rows)], precision=0.1).result()[0]
    assert found.metadata["shots"] == 100
    assert found.metadata["measurement_groups"] == 2
    assert found.metadata["circuits"] == 1200
    assert found.metadata["executions"] == 120_000
    spread = np.std(found.data.evs)
    assert abs(found.data.evs.mean() - exact) < 4 * spread / np.sqrt(600)
    assert spread == pytest.approx(np.mean(found.data.stds), rel=0.1)


def test_seeds_repeat_shots():
    circuit, _ = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    pub = EstimatorPub.coerce((isa, ["ZI"], np.ones(isa.num_parameters), 0.05))

    def draw(seed):
        estimator = TorchEstimator(noise_model=parse_parametric(TOGETHER), seed=seed)
        return estimator.run([pub]).result()[0].data.evs

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_a_noisy_estimator_has_no_adjoint_sweep():
    estimator = TorchEstimator(noise_model=parse_parametric("zz(0.1)"))
    with pytest.raises(BackendError, match="has a noise model"):
        BatchedEstimatorGradient(estimator, "adjoint")


def test_no_rows_are_no_values():
    circuit, parameters = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(TOGETHER).channels(), parameters)
    engine = DensityEngine(program, [SparsePauliOp("ZI")], 4)
    batched = torch.zeros(0, 4, requires_grad=True)
    values = engine.expectations(batched, torch.zeros(4))
    values.sum().backward()
    assert (values.shape, batched.grad.shape) == ((0, 1), (0, 4))
