import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import CXGate, RZGate, SXGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import InstructionProperties, Target, generate_preset_pass_manager
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2

from qvlm_qiskit.backends import Compiled, Compiler
from qvlm_qiskit.backends.compilation import compiler as compile_module
from qvlm_qiskit.backends.compilation.placement import log_success, states_errors
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
    monkeypatch.setattr(compile_module._cache, "most", 2)
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


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_place_is_the_best_of_all_places_readout_included(level):
    """Against every pair of connected qubits, tried one by one."""
    target = FakeLagosV2().target
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    chosen = Compiler(target, level, trials=1).compile(circuit, "ZZ")
    found = []
    for pair in target["cx"]:
        manager = generate_preset_pass_manager(1, target=target, initial_layout=list(pair))
        found.append(log_success(manager.run(circuit), target, pair))
    assert np.log(chosen.success_probability) >= max(found) - 1e-12
    assert np.ptp(found) > 0.1


def test_a_gate_that_always_fails_is_not_used():
    """A line of four where the only good gate is at its end."""
    target = Target(num_qubits=4)
    target.add_instruction(SXGate(), {(q,): InstructionProperties(error=1e-4) for q in range(4)})
    target.add_instruction(
        RZGate(Parameter("t")), {(q,): InstructionProperties(error=0) for q in range(4)}
    )
    target.add_instruction(
        CXGate(),
        {
            (0, 1): InstructionProperties(error=1.0),
            (1, 2): InstructionProperties(error=1.0),
            (2, 3): InstructionProperties(error=0.01),
        },
    )
    target.add_instruction(Measure(), {(q,): InstructionProperties(error=0.01) for q in range(4)})
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    assert set(Compiler(target, 1).compile(circuit, "ZZ").layout) == {2, 3}


def test_success_probability_is_a_product_over_gates_and_readout():
    target = FakeManilaV2().target
    circuit = QuantumCircuit(5)
    circuit.sx(0)
    circuit.cx(0, 1)
    expected = 1.0
    for error in (
        target["sx"][(0,)].error,
        target["cx"][(0, 1)].error,
        target["measure"][(0,)].error,
        target["measure"][(1,)].error,
    ):
        expected *= 1 - error
    assert 2.718281828459045 ** log_success(circuit, target, (0, 1)) == pytest.approx(expected)
    assert states_errors(target)
    assert not states_errors(Target.from_configuration(["cx", "sx", "rz"], num_qubits=3))


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


def test_parameters_that_the_optimiser_removes_are_dropped():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rz(b, 0)
    circuit.rz(-b, 0)
    circuit.ry(a, 0)
    compiler = Compiler(Target.from_configuration(["rz", "ry", "cx"], num_qubits=1), 3)
    estimator = Compiled(StatevectorEstimator(), compiler)
    values = [[0.3, 0.7], [0.4, 0.1]]
    expected = StatevectorEstimator().run([(circuit, "Z", values)]).result()[0].data.evs
    found = estimator.run([(circuit, "Z", values)]).result()[0].data.evs
    assert found == pytest.approx(expected)
    only_b = QuantumCircuit(1)
    only_b.rz(b, 0)
    only_b.rz(-b, 0)
    found = estimator.run([(only_b, "Z", [[0.1], [0.2]])]).result()[0].data.evs
    assert found == pytest.approx([1.0, 1.0])


def test_values_are_bound_by_name_whatever_form_they_come_in(make_circuit, values_for, exact):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    named = {p: values[:, i] for i, p in enumerate(circuit.parameters)}
    shuffled = dict(reversed(named.items()))
    estimator = Compiled(StatevectorEstimator(), Compiler(FakeManilaV2().target, 2))
    expected = exact(circuit, "ZXY", values)
    for form in (values, named, shuffled):
        found = estimator.run([(circuit, "ZXY", form)]).result()[0].data.evs
        assert found == pytest.approx(expected, abs=1e-10)
