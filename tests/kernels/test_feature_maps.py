"""Feature maps against the formulas they are named after."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.kernels import FEATURE_MAPS, feature_map, havlicek, resource_efficient

X = np.array([0.3, 1.1, 2.0])


def z_on(*qubits):
    label = ["I"] * 3
    for qubit in qubits:
        label[qubit] = "Z"
    return Operator.from_label("".join(reversed(label))).data


def test_the_map_of_havlicek_is_the_exponential_of_its_phases():
    phases = sum(X[q] * z_on(q) for q in range(3)) + sum(
        (np.pi - X[a]) * (np.pi - X[b]) * z_on(a, b) for a in range(3) for b in range(a)
    )
    hadamards = Operator.from_label("HHH").data
    step = expm(-1j * phases) @ hadamards
    expected = step @ step @ np.eye(8)[0]
    found = Statevector(havlicek(3).assign_parameters(X)).data
    assert abs(np.vdot(expected, found)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("features", [1, 2, 5, 6])
def test_a_chain_behind_the_last_repetition_changes_no_fidelity(features):
    plain = resource_efficient(features)
    chain = QuantumCircuit(plain.num_qubits)
    for qubit in range(plain.num_qubits - 1):
        chain.cx(qubit, qubit + 1)
    assert plain.num_qubits == (features + 1) // 2
    assert plain.count_ops().get("cx", 0) == plain.num_qubits - 1
    fidelities = []
    for circuit in (plain, plain.compose(chain)):
        one, two = (
            Statevector(circuit.assign_parameters(np.linspace(a, b, features)))
            for a, b in ((0.1, 1.0), (0.7, 2.0))
        )
        fidelities.append(abs(one.inner(two)) ** 2)
    assert fidelities[0] == pytest.approx(fidelities[1], abs=1e-12)
    assert 0 < fidelities[0] < 1


@pytest.mark.parametrize("name", FEATURE_MAPS)
@pytest.mark.parametrize("features", [1, 2, 5])
def test_the_parameters_are_the_features_in_order(name, features):
    circuit = feature_map(name, features)
    assert [one.name for one in circuit.parameters] == [f"x[{i}]" for i in range(features)]


def test_what_is_no_map_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'havlicek'"):
        feature_map("havlicec", 2)
    for make in FEATURE_MAPS.values():
        with pytest.raises(InputError, match="features is a whole number from 1 to 1000, got 0"):
            make(0, 2)
        with pytest.raises(InputError, match="reps is a whole number from 1 to 1000, got 0"):
            make(2, 0)
