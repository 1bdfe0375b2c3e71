"""A promise across the whole stack, against exact values: tests no single module.

Bases, qubit order, shapes, noise and capacity.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError

STRINGS = ["IIZ", "ZII", "XIX", "IYZ", "ZYX"]


def operators():
    return [SparsePauliOp(label) for label in STRINGS] + [
        SparsePauliOp(["ZZI", "IXX", "III", "YII"], [0.5, -1.0, 0.25, 2.0])
    ]


@pytest.mark.parametrize("name", ["noisy:fake_manila", "noisy:fake_lagos", "fake_manila"])
@pytest.mark.parametrize("level", [0, 1, 3])
@pytest.mark.parametrize("seed", [11, 12])
def test_random_circuits_without_noise_agree_with_the_exact_values(
    name, level, seed, within_errors
):
    circuit = random_circuit(3, 4, max_operands=2, seed=seed)
    local = name.startswith("fake")
    if local:
        # The Runtime client has no switch for the noise: its values only lie nearby.
        backend = open_backend(name, shots=4000, seed=seed, optimization_level=level)
    else:
        backend = open_backend(name, shots=4000, seed=seed, optimization_level=level, noise_scale=0)
    result = backend.estimator().run([(circuit, operators())]).result()[0]
    state = Statevector(circuit)
    expected = np.array([state.expectation_value(o).real for o in operators()])
    if local:
        assert np.abs(result.data.evs - expected).max() < 0.9
        assert np.corrcoef(result.data.evs, expected)[0, 1] > 0.9
    else:
        within_errors(result, expected)


@pytest.mark.parametrize("name", ["aer", "noisy:fake_lagos", "fake_lagos"])
def test_projectors_are_observables_too(name):
    circuit = QuantumCircuit(2)
    circuit.x(0)
    backend = open_backend(name, **({} if name == "aer" else {"shots": 4000, "seed": 1}))
    evs = backend.estimator().run([(circuit, ["01", "10", "I+"])]).result()[0].data.evs
    assert evs == pytest.approx([1.0, 0.0, 0.5], abs=1e-9 if name == "aer" else 0.1)


@pytest.mark.parametrize("name", ["aer", "noisy:fake_lagos", "noisy:depolarizing(0.01)"])
def test_qubit_order_is_little_endian(name):
    circuit = QuantumCircuit(3)
    circuit.x(0)
    options = {} if name == "aer" else {"noise_scale": 0, "shots": 100}
    result = open_backend(name, **options).estimator().run([(circuit, ["IIZ", "IZI", "ZII"])])
    assert result.result()[0].data.evs == pytest.approx([-1.0, 1.0, 1.0])


@pytest.mark.parametrize("name", ["aer", "noisy:fake_lagos", "fake_lagos"])
@pytest.mark.parametrize(
    ("observables", "rows", "shape"),
    [
        ("ZXI", (), ()),
        ([["ZII"], ["IZI"]], (4,), (2, 4)),
        (["ZII", "IZI", "XXX"], (3,), (3,)),
        (["ZII"], (2, 3), (2, 3)),
        ([[["ZII"]], [["IXI"]]], (3, 2), (2, 3, 2)),
    ],
)
def test_broadcasting_follows_numpy(
    name, observables, rows, shape, make_circuit, values_for, exact
):
    circuit = make_circuit()
    values = values_for(circuit, rows, seed=4)
    shots = {} if name == "aer" else {"shots": 2000}
    backend = open_backend(name, seed=2, **shots)
    result = backend.estimator().run([(circuit, observables, values)]).result()[0]
    assert result.data.evs.shape == result.data.stds.shape == shape
    tolerance = 1e-10 if name == "aer" else 0.35
    assert np.abs(result.data.evs - exact(circuit, observables, values)).max() < tolerance


def test_noise_grows_with_its_scale(make_circuit, values_for, exact):
    circuit = make_circuit(layers=3)
    values = values_for(circuit, (20,))
    observables = [["ZII"], ["IZI"], ["IIZ"], ["ZZZ"]]
    expected = exact(circuit, observables, values)
    errors = []
    for factor in (0.0, 1.0, 3.0):
        backend = open_backend("noisy:fake_manila", shots=4000, seed=1, noise_scale=factor)
        evs = backend.estimator().run([(circuit, observables, values)]).result()[0].data.evs
        errors.append(np.sqrt(np.mean((evs - expected) ** 2)))
    assert errors[0] < 0.025
    assert errors[1] > 1.5 * errors[0]
    assert errors[2] > 1.5 * errors[1]


def test_depolarizing_noise_has_the_strength_that_was_asked_for():
    """One cz with p: every Pauli that it leaves alone shrinks by 1 − p."""
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    backend = open_backend("noisy:depolarizing(0.2,0)", shots=100_000, seed=3, optimization_level=0)
    evs = backend.estimator().run([(circuit, ["ZI", "IZ", "ZZ"])]).result()[0].data.evs
    assert evs == pytest.approx([0.8, 0.8, 0.8], abs=0.01)


def test_capacity_is_checked():
    with pytest.raises(CapacityError, match="6 qubits, the device 5"):
        open_backend("noisy:fake_manila").compile(QuantumCircuit(6), ["IIIIIZ"])
    wide = QuantumCircuit(30)
    wide.h(range(30))
    with pytest.raises(CapacityError, match="30 qubits"):
        open_backend("noisy:fake_torino").estimator().run([(wide, "Z" * 30)])
    with pytest.raises(CapacityError, match="30 qubits"):
        open_backend("fake_torino").estimator().run([(wide, "Z" * 30)])
