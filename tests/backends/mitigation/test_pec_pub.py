"""One pub for many random circuits, against those circuits one by one."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends.mitigation.pec_pub import Insertions, SampledPub
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from tests.backends.mitigation.circuits import as_pauli

SIGNS = np.array([1.0, -1.0, 1.0])
FLIPS = np.array([[False, False], [True, False], [True, True]])
FRAMES = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1]], dtype=bool)
OBSERVABLES = [SparsePauliOp("ZI"), SparsePauliOp(["XX", "IZ", "II"], [0.5, -1.0, 2.0])]


def asked():
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    circuit.rz(Parameter("a"), 0)
    circuit.cz(0, 1)
    circuit.rz(Parameter("b"), 1)
    circuit.sx([0, 1])
    values = np.random.default_rng(1).uniform(-3, 3, (3, 2))
    return EstimatorPub.coerce((circuit, [[o] for o in OBSERVABLES], values))


def run(sampled, template):
    pub = sampled.pub(template, 0.1)
    assert pub.shape == (len(SIGNS), 3, 2, 3)  # circuits, terms, observables, rows
    exact = (pub.circuit, pub.observables, pub.parameter_values)
    return sampled.read(StatevectorEstimator().run([exact]).result()[0].data.evs)


def test_it_reads_the_signed_values_of_every_circuit():
    pub = asked()
    template = AngleTemplate.of(pub.circuit, "test")
    found = run(SampledPub.of(pub, template, Insertions(SIGNS, FLIPS, FRAMES)), template)
    angles = template.angles(pub.parameter_values)
    for circuit, (sign, flips, frame) in enumerate(zip(SIGNS, FLIPS, FRAMES, strict=True)):
        for row in range(3):
            bound = template.circuit.assign_parameters(np.where(flips, -1, 1) * angles[row])
            state = Statevector(bound).evolve(as_pauli(frame))
            expected = [sign * state.expectation_value(o).real for o in OBSERVABLES]
            np.testing.assert_allclose(found[circuit, :, row], expected, atol=1e-10)


def test_without_any_sign_it_is_the_pub():
    pub = asked()
    template = AngleTemplate.of(pub.circuit, "test")
    none = Insertions(np.ones(3), np.zeros_like(FLIPS), np.zeros_like(FRAMES))
    found = run(SampledPub.of(pub, template, none), template)
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    np.testing.assert_allclose(found, np.broadcast_to(expected, (3, 2, 3)), atol=1e-10)
