"""The density-matrix engine against Aer's density matrix and against plain matrix products."""

import numpy as np
import pytest
import torch
from qiskit import transpile
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp, SuperOp
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2, FakeSherbrooke

from qvlm_qiskit.errors import BackendError, CapacityError
from qvlm_qiskit.noise_models import (
    build,
    calibrated,
    combined,
    parse_parametric,
)
from qvlm_qiskit.quantum import BatchedEstimatorGradient, TorchEstimator
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from tests.quantum.density.layered import FAMILIES, TOGETHER, aer_state, layered

LETTERS = "IXYZ"


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
@pytest.mark.parametrize("more", [None, pytest.param(TOGETHER, marks=pytest.mark.slow)])
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
    # more than one kernel does, which keeps little
    batched, shared = torch.rand(200, 6, requires_grad=True), torch.rand(6)
    with pytest.raises(CapacityError, match=r"gradient of one sample .* trajectories"):
        engine.expectations(batched, shared)
    with torch.no_grad():
        assert engine.expectations(batched, shared).shape == (200, 1)


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
