"""An estimator that compiles what it is given."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.transpiler import Target
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import Compiled, Compiler, open_backend


def test_equal_circuits_with_other_parameter_objects_share_a_compilation(values_for, exact):
    def build():
        circuit = QuantumCircuit(1)
        circuit.ry(Parameter("a"), 0)
        return circuit

    backend = open_backend("noisy:fake_manila", shots=4000, noise_scale=0, seed=1)
    for angle in (0.3, 1.3):
        circuit = build()
        value = backend.estimator().run([(circuit, "Z", [angle])]).result()[0].data.evs
        assert value == pytest.approx(np.cos(angle), abs=0.06)


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
