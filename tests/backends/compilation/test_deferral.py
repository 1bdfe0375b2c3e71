"""Dynamic circuits as ordinary ones, against every outcome by itself."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends.compilation.compiler import Compiler
from qvlm_qiskit.backends.compilation.deferral import deferred_circuit, without_lost
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.errors import CapacityError, CircuitError
from tests.quantum.program.dynamic import branch_values, random_circuit

LABELS = ["ZII", "IZI", "IIZ", "XXX", "YIX", "ZZZ", "IXZ"]
MOST = 11
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 100)]


@pytest.mark.parametrize("seed", [*range(6), *SLOW])
def test_values_are_those_of_all_outcomes(seed):
    rng = np.random.default_rng(seed)
    circuit, later, lost = None, None, None
    while later is None or later.num_qubits > MOST:
        circuit, names = random_circuit(rng, length=8)
        later, lost = deferred_circuit(circuit)
    values = dict(zip(names, rng.uniform(-3, 3, len(names)), strict=True))
    state = Statevector(later.assign_parameters(values))
    read = without_lost(ObservablesArray.coerce(LABELS), lost).sparse_observables_array()
    found = [
        state.expectation_value(SparsePauliOp.from_sparse_observable(each), range(3)).real
        for each in read
    ]
    expected = branch_values(circuit.assign_parameters(values), list(map(SparsePauliOp, LABELS)))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def pooled():
    circuit = QuantumCircuit(2, 1)
    circuit.ry(Parameter("a"), 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    return circuit


def test_a_measured_qubit_needs_no_other_until_a_gate_changes_it():
    circuit = pooled()
    later, lost = deferred_circuit(circuit)
    assert (later.num_qubits, set(lost)) == (2, {0})
    assert dict(later.count_ops()) == {"ry": 1, "cx": 1}
    circuit.h(0)
    later, lost = deferred_circuit(circuit)
    assert (later.num_qubits, set(lost)) == (3, set())


def test_what_is_too_wide_or_waits_is_refused_in_one_line():
    device = fake_device("fake_manila").target
    circuit = pooled()
    for _ in range(4):
        circuit.reset(0)
        circuit.h(0)
    with pytest.raises(CapacityError, match=r"6 qubits with its measurements deferred.*device 5"):
        Compiler(device).compile(circuit, "ZZ")
    circuit = pooled()
    circuit.delay(100, 1)
    with pytest.raises(CircuitError, match="'delay' stands in the way"):
        Compiler(device).compile(circuit, "ZZ")
