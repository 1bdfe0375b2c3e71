"""The rules and the template: every gate, every way in which a parameter enters it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.library import (
    CRXGate,
    MCPhaseGate,
    PauliEvolutionGate,
    RYGate,
    XXPlusYYGate,
    efficient_su2,
    get_standard_gate_name_mapping,
    zz_feature_map,
)
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, random_unitary
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import EstimatorV2 as AerEstimator
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import AmplitudeEncoding, TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.shift_rules import (
    AXIS,
    FOUR_TERM,
    RULES,
    TWO_TERM,
    _has_parameters,
    build_template,
    equidistant_rule,
)
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

P = ParameterVector("p", 4)
OBSERVABLES = [
    SparsePauliOp(["IIZ", "XYI"], [1.0, 0.7]),
    SparsePauliOp(["YIX", "ZZZ", "III"], [-0.4, 1.2, 3.0]),
]


def gradients(circuit, values, estimator=None, parameters=None):
    """``(n_observables, n_vectors, n_parameters)`` from one call."""
    estimator = TorchEstimator(dtype="complex128") if estimator is None else estimator
    entries = [(o, v) for o in OBSERVABLES for v in values]
    result = (
        BatchedEstimatorGradient(estimator)
        .run(
            [circuit] * len(entries),
            [o for o, _ in entries],
            [v for _, v in entries],
            None if parameters is None else [parameters] * len(entries),
        )
        .result()
    )
    return np.reshape(result.gradients, (len(OBSERVABLES), len(values), -1))


def scrambled(append):
    """Three qubits in a state without symmetry, the gate in question, and again."""
    circuit = QuantumCircuit(3)
    circuit.unitary(random_unitary(8, seed=5), range(3))
    append(circuit)
    circuit.unitary(random_unitary(8, seed=6), range(3))
    return circuit


@pytest.mark.parametrize("rule", [TWO_TERM, FOUR_TERM, AXIS, equidistant_rule(3, 2.0)])
def test_rules_are_exact_for_their_frequencies(rule):
    count, spacing = {
        TWO_TERM: (1, 1.0),
        FOUR_TERM: (2, 0.5),
        AXIS: (2, 1.0),
    }.get(rule, (3, 2.0))
    frequencies = spacing * np.arange(1, count + 1)
    phases = np.linspace(0.1, 1.0, count)
    f = lambda x: 0.3 + np.cos(frequencies * x + phases).sum()  # noqa: E731
    x = 0.77
    got = sum(
        c * (f(x + s) - f(x - s)) for s, c in zip(rule.shifts, rule.coefficients, strict=True)
    )
    np.testing.assert_allclose(got, -(frequencies * np.sin(frequencies * x + phases)).sum())


def test_the_two_and_four_term_rules_are_the_published_ones():
    assert TWO_TERM.shifts == (np.pi / 2,)
    np.testing.assert_allclose(TWO_TERM.coefficients, [0.5])
    np.testing.assert_allclose(FOUR_TERM.shifts, [np.pi / 2, 3 * np.pi / 2])
    root = np.sqrt(2)
    np.testing.assert_allclose(
        FOUR_TERM.coefficients, [(root + 1) / (4 * root), (1 - root) / (4 * root)]
    )


@pytest.mark.parametrize("name", RULES)
def test_every_rule_fits_its_gate(name, twin_jacobian):
    gate = get_standard_gate_name_mapping().get(name)
    if gate is None:
        import qiskit.circuit.library as library

        kind = getattr(library, f"{name.upper()}Gate")
        gate = kind(*P[: len(RULES[name])])
    kind, size = type(gate), len(RULES[name])
    assert len(gate.params) == size
    circuit = scrambled(lambda c: c.append(kind(*P[:size]), list(range(gate.num_qubits))))
    values = np.random.default_rng(3).uniform(-3, 3, (2, size))
    got = gradients(circuit, values)
    for i, row in enumerate(values):
        np.testing.assert_allclose(got[:, i], twin_jacobian(circuit, OBSERVABLES, row), atol=1e-6)
    template = build_template(circuit)
    assert template.rules == list(RULES[name])
    if name[0] != "c" or name == "cu":
        assert [item.name for item in template.circuit.data] == ["unitary", name, "unitary"]
    aer = gradients(circuit, values, AerEstimator())
    np.testing.assert_allclose(aer, got, atol=1e-8)


def custom():
    inner = QuantumCircuit(2, name="mine", global_phase=P[1])
    inner.cry(P[0] * 2, 0, 1)
    inner.rz(P[1] - P[0], 0)
    return inner.to_gate()


BY_DEFINITION = {
    "mcp": lambda c: c.append(MCPhaseGate(P[0], 2), [0, 1, 2]),
    "open control": lambda c: c.append(CRXGate(P[0], ctrl_state=0), [1, 2]),
    "two controls": lambda c: c.append(RYGate(P[0]).control(2, annotated=False), [0, 1, 2]),
    "xx_plus_yy": lambda c: c.append(XXPlusYYGate(P[0], P[1]), [2, 0]),
    "evolution": lambda c: c.append(
        PauliEvolutionGate(SparsePauliOp(["XZ", "ZX"], [0.4, 1.3]), time=P[0]), [0, 2]
    ),
    "custom": lambda c: c.append(custom(), [2, 1]),
    "nested": lambda c: c.append(
        scrambled(lambda d: d.append(custom(), [0, 2])).to_gate(), c.qubits
    ),
    "instruction": lambda c: c.append(zz_feature_map(2).to_instruction(), [0, 1]),
    "encoding": lambda c: c.append(AmplitudeEncoding([P[0], P[1] * 0.5, 0.3]), [0, 1]),
}


@pytest.mark.filterwarnings("ignore:sp")  # SuperLU's, in the twin's exact exponential
@pytest.mark.parametrize("name", BY_DEFINITION)
def test_other_gates_go_by_their_definition(name, twin_jacobian):
    circuit = scrambled(BY_DEFINITION[name])
    values = np.random.default_rng(4).uniform(-3, 3, (2, circuit.num_parameters))
    got = gradients(circuit, values)
    for i, row in enumerate(values):
        np.testing.assert_allclose(got[:, i], twin_jacobian(circuit, OBSERVABLES, row), atol=1e-6)


def test_a_namesake_of_a_standard_gate_goes_by_its_definition():
    class Namesake(Gate):
        def __init__(self, angle):
            super().__init__("rx", 1, [angle])

        def _define(self):
            self.definition = QuantumCircuit(1)
            self.definition.ry(3 * self.params[0], 0)

    circuit = QuantumCircuit(1)
    circuit.append(Namesake(P[0]), [0])
    gradient = BatchedEstimatorGradient(StatevectorEstimator())
    (got,) = gradient.run([circuit], [SparsePauliOp("Z")], [[0.4]]).result().gradients
    np.testing.assert_allclose(got, [-3 * np.sin(1.2)])


def expressions():
    """Shared parameters, and every shape of expression that the layers use."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.p(2 * (np.pi - P[0]) * (np.pi - P[1]), 1)
    circuit.ry(2 * P[2] * P[0], 0)
    circuit.rx(P[0].sin() + P[2], 2)
    circuit.cx(0, 1)
    circuit.crz(P[3] / 3 - 0.2, 1, 2)
    circuit.ry(P[2], 1)
    circuit.ry(P[2], 2)
    circuit.rzz(P[1] ** 2, 0, 2)
    circuit.u(P[3], 0.3, -P[0], 0)
    return circuit


ESTIMATORS = {"qml": QMLEstimator, "statevector": StatevectorEstimator, "aer": AerEstimator}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_shared_parameters_and_expressions(name, twin_jacobian):
    circuit = expressions()
    values = np.random.default_rng(5).uniform(0.2, 2, (2, 4))
    got = gradients(circuit, values, ESTIMATORS[name]())
    for i, row in enumerate(values):
        np.testing.assert_allclose(got[:, i], twin_jacobian(circuit, OBSERVABLES, row), atol=1e-6)


KINDS = ("rx", "ry", "rz", "p", "rxx", "rzz", "rzx", "crx", "cry", "crz", "cp", "u")
TWO_QUBIT = {"rxx", "rzz", "rzx", "crx", "cry", "crz", "cp"}


def random_circuit(seed):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for _ in range(7):
        kind = rng.choice(KINDS)
        a, b, c = (P[i] for i in rng.integers(0, 4, 3))
        angle = [a, 2 * a - b, a * b + 0.1, a.cos() + c, -a / 2][rng.integers(5)]
        qubits = [int(q) for q in rng.permutation(3)[: 2 if kind in TWO_QUBIT else 1]]
        arguments = [angle, b, c] if kind == "u" else [angle]
        getattr(circuit, kind)(*arguments, *qubits)
        circuit.cx(*(int(q) for q in rng.permutation(3)[:2]))
        circuit.h(int(rng.integers(3)))
    return circuit, rng.uniform(-3, 3, circuit.num_parameters)


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_circuits_agree_with_stock(seed):
    circuit, row = random_circuit(seed)
    request = ([circuit] * 2, OBSERVABLES, [row] * 2)
    theirs = ParamShiftEstimatorGradient(QMLEstimator()).run(*request).result().gradients
    for estimator in (QMLEstimator(), AerEstimator()):
        ours = gradients(circuit, [row], estimator)[:, 0]
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_parameters_in_any_order_and_number():
    circuit = expressions()
    values = np.random.default_rng(6).uniform(0.2, 2, (2, 4))
    everything = gradients(circuit, values)
    chosen = [P[3], P[1], P[3]]
    np.testing.assert_allclose(
        gradients(circuit, values, parameters=chosen), everything[..., [3, 1, 3]], atol=1e-12
    )


def test_rows_are_two_per_angle_and_four_per_controlled_rotation(counting_statevector):
    circuit = QuantumCircuit(3)
    circuit.rx(P[0], 0)
    circuit.cp(P[0], 0, 1)  # 2, where Pauli rotations would need 6
    circuit.crx(P[1], 0, 1)  # 4
    circuit.u(P[2], 0.1, P[2], 1)  # 2 + 2
    circuit.ry(0.7, 2)
    gradients(circuit, [[0.1, 0.2, 0.3]], counting_statevector)
    gradients(circuit, [[0.1, 0.2, 0.3]], counting_statevector, [P[1]])
    sent = [len(pubs[0][2].as_array()) for pubs, _ in counting_statevector.calls]
    assert sent == [2 + 2 + 4 + 4, 4]


def test_angles_with_slope_zero_are_not_shifted(counting_statevector):
    circuit = QuantumCircuit(3)
    circuit.ry(0.4 + (np.pi - P[0]) * (np.pi - P[1]), 0)
    got = gradients(circuit, [[np.pi, np.pi], [np.pi, 1.0]], counting_statevector)
    assert np.all(got[:, 0] == 0)
    assert np.all(got[:, 1, 1] == 0)
    assert abs(got[0, 1, 0]) > 0.1
    assert counting_statevector.calls[0][0][0][2].shape == (2,)


def test_the_template_of_an_isa_circuit_is_an_isa_circuit():
    device = GenericBackendV2(5, basis_gates=["rz", "sx", "x", "cx"], seed=3)
    manager = generate_preset_pass_manager(2, target=device.target, seed_transpiler=5)
    ansatz = efficient_su2(3, reps=1)
    isa = manager.run(ansatz)
    template = build_template(isa)
    assert [i.name for i in template.circuit.data] == [i.name for i in isa.data]
    assert list(template.circuit.parameters) == template.slots
    assert template.circuit.layout == isa.layout
    values = np.random.default_rng(8).uniform(-3, 3, ansatz.num_parameters)
    order = [list(ansatz.parameters).index(p) for p in isa.parameters]
    mapped = [o.apply_layout(isa.layout) for o in OBSERVABLES]
    request = ([isa] * 2, mapped, [values[order]] * 2)
    got = BatchedEstimatorGradient(StatevectorEstimator()).run(*request).result().gradients
    np.testing.assert_allclose(got, gradients(ansatz, [values])[:, 0][:, order], atol=1e-8)


def test_instructions_without_a_rule_are_refused_only_when_needed():
    delayed = QuantumCircuit(3)
    delayed.ry(P[0], 0)
    delayed.delay(P[1], 1)
    gate = Gate("mystery", 1, [P[1]])
    opaque = QuantumCircuit(3)
    opaque.ry(P[0], 0)
    opaque.append(gate, [0])
    got = gradients(delayed, [[0.3, 5.0]], parameters=[P[0]])
    np.testing.assert_allclose(got[0, 0, 0], -np.sin(0.3), atol=1e-10)
    for circuit, name in ((delayed, "delay"), (opaque, "mystery")):
        with pytest.raises(CircuitError, match=name):
            gradients(circuit, [[0.3, 5.0]])


def test_parameters_inside_loops_are_refused():
    circuit = QuantumCircuit(3, 1)
    circuit.ry(P[0], 0)
    with circuit.for_loop(range(2)):
        circuit.rx(P[1], 1)
    with pytest.raises(CircuitError, match="for_loop"):
        gradients(circuit, [[0.1, 0.2]])


def test_control_flow_without_parameters_is_left_as_it_is():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    assert not _has_parameters(circuit.data[0].operation)


V, W = ParameterVector("v", 2)
EXPRESSIONS = {
    "constant slope, pole at 0": (2 * V).log() - V.log() + W,
    "a·a/a": V * V / V,
    "exp(log a)": V.log().exp(),
    "cancelled": V**0.5 * V**-0.5 + W - W,
    "power of a number": 2**V - 1.5 ** (-W),
    "power of a power": (2 * V * W) ** ((1.5 + W) * (V - W)),
    "quotient of powers": V.arccos() ** (V * V) / (W**V + V * W),
    "sign and abs": V.sign() * W + abs(V - 1),
    "trigonometric": V.sin() * W.arctan() - (V * W).cos() + V.tan() * W.arcsin(),
    "complex on the way": ((V - 1) ** 0.5) ** 2 * W,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("method", ["param_shift", "adjoint", "autograd"])
def test_gradients_of_any_expression_are_finite_differences(name, method, twin_jacobian):
    circuit = QuantumCircuit(3)
    for angle in (EXPRESSIONS[name], W / 2, EXPRESSIONS[name] / 3):
        circuit.rx(angle, 0)
        circuit.cry(angle, 0, 1)
    rows = np.array([[0.3, 0.4], [0.7, 0.2]])[:, : circuit.num_parameters]
    if method == "autograd":
        engine = StatevectorEngine(compile_circuit(circuit), OBSERVABLES, rows.shape[1])
        jacobian = torch.func.jacrev if name != "complex on the way" else plain_jacobian
        none = torch.zeros(0, dtype=torch.float64)
        found = [
            jacobian(lambda x: engine.expectations(x[None], none)[0])(row)
            for row in torch.as_tensor(rows)
        ]
        found = torch.stack(found, dim=1)
    else:
        entries = [(o, row) for o in OBSERVABLES for row in rows]
        gradient = BatchedEstimatorGradient(TorchEstimator(dtype="complex128"), method)
        observables, values = zip(*entries, strict=True)
        result = gradient.run([circuit] * len(entries), observables, values).result()
        found = np.reshape(result.gradients, (len(OBSERVABLES), len(rows), -1))
    expected = [twin_jacobian(circuit, OBSERVABLES, row) for row in rows]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-6)


def plain_jacobian(function):
    return lambda row: torch.autograd.functional.jacobian(function, row)


def test_angles_that_are_not_real_are_refused():
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("s") * 1j, 0)
    with pytest.raises(CircuitError, match="real"):
        gradients(circuit, [[0.1]])
