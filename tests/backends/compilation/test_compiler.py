"""Circuits compiled for devices: the same values, cached, and refused where they don't fit."""

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2

from qvlm_qiskit.backends import Compiler
from qvlm_qiskit.backends.compilation import compiler as compile_module
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import CapacityError, CircuitError

STRINGS = ["ZII", "IZI", "IIZ", "XYZ", "YIX", "ZXI"]


@pytest.mark.parametrize("device", [FakeManilaV2, FakeLagosV2])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_compiling_changes_no_expectation_value(device, level, make_circuit, values_for):
    circuit = make_circuit(custom=True)
    values = values_for(circuit)
    operators = [SparsePauliOp(label) for label in STRINGS]
    compiled = Compiler(device().target, level, seed=3).compile(circuit, operators)
    state = Statevector(compiled.circuit.assign_parameters(values))
    plain = Statevector(circuit.assign_parameters(values))
    for operator, mapped in zip(
        operators, compiled.observables.sparse_observables_array(), strict=True
    ):
        found = state.expectation_value(SparsePauliOp.from_sparse_observable(mapped))
        assert found == pytest.approx(plain.expectation_value(operator), abs=1e-10)


def test_the_layout_says_where_each_qubit_is():
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.cx(0, 2)
    compiled = Compiler(FakeLagosV2().target, 1).compile(circuit, ["IIZ", "IZI"])
    first, second = compiled.observables.sparse_observables_array()
    assert list(first.indices) == [compiled.layout[0]]
    assert list(second.indices) == [compiled.layout[1]]
    assert compiled.two_qubit_gates >= 1
    assert 0 < compiled.success_probability < 1


def test_equal_circuits_are_compiled_once(make_circuit):
    compiler = Compiler(FakeLagosV2().target)
    assert compiler.isa(make_circuit()) is compiler.isa(make_circuit())
    assert compiler.isa(make_circuit(layers=2)) is not compiler.isa(make_circuit())


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(compile_module._cache, "size", 2)
    compiler = Compiler(FakeManilaV2().target, 0)
    circuits = []
    for angle in (0.1, 0.2, 0.3):
        circuit = QuantumCircuit(1)
        circuit.ry(angle, 0)
        circuits.append(circuit)
    first = compiler.isa(circuits[0])
    for circuit in circuits[1:]:
        compiler.isa(circuit)
    assert compiler.isa(circuits[0]) is not first


def test_the_same_seed_gives_the_same_circuit(make_circuit):
    digests = {
        circuit_digest(Compiler(FakeLagosV2().target, 2, 1).isa(make_circuit(layers=2)).circuit)
        for _ in range(2)
    }
    assert len(digests) == 1


def test_the_best_of_some_seeds_is_no_worse_than_the_first(make_circuit):
    target = FakeLagosV2().target
    circuit = make_circuit(num_qubits=5, layers=2)
    one = Compiler(target, 1, seed=2, trials=1).compile(circuit, "IIIIZ")
    best = Compiler(target, 1, seed=2, trials=5).compile(circuit, "IIIIZ")
    assert best.success_probability >= one.success_probability


def test_too_many_qubits_are_refused():
    with pytest.raises(CapacityError, match="6 qubits, the device 5"):
        Compiler(FakeManilaV2().target).isa(QuantumCircuit(6))


def test_what_an_estimator_cannot_run_is_refused():
    measuring = QuantumCircuit(1)
    measuring.measure_all()
    compiler = Compiler(FakeManilaV2().target)
    with pytest.raises(CircuitError, match="measurements"):
        compiler.compile(measuring, ["Z"])
    with pytest.raises(CircuitError, match="act on 2 qubits"):
        compiler.compile(QuantumCircuit(1), ["ZZ"])
