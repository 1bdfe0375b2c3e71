"""The template: which gates stay, which go by their definition, and which are refused."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import (
    CRXGate,
    MCPhaseGate,
    PauliEvolutionGate,
    RYGate,
    XXPlusYYGate,
    efficient_su2,
    zz_feature_map,
)
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.shift_template import build_template
from tests.quantum.gradients.three_qubits import OBSERVABLES, P, gradients, scrambled


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
