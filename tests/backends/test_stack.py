"""The whole stack against exact values: layouts, bases, qubit order, shapes, noise, seeds."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError

STRINGS = ["IIZ", "ZII", "XIX", "IYZ", "ZYX"]


def operators():
    return [SparsePauliOp(label) for label in STRINGS] + [
        SparsePauliOp(["ZZI", "IXX", "III", "YII"], [0.5, -1.0, 0.25, 2.0])
    ]


def test_the_exact_path_is_exact(make_circuit, values_for, exact):
    circuit = make_circuit(custom=True, layers=2)
    values = values_for(circuit, (4,))
    observables = [[operator] for operator in operators()]
    result = open_backend("aer").estimator().run([(circuit, observables, values)]).result()[0]
    np.testing.assert_allclose(
        result.data.evs, exact(circuit, observables, values), atol=1e-10, rtol=0
    )


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


def test_constants_and_circuits_without_gates_or_parameters():
    backend = open_backend("noisy:fake_manila", shots=1000, noise_scale=0, seed=1)
    empty = QuantumCircuit(2)
    pubs = [(empty, SparsePauliOp(["II", "ZZ"], [3.0, 0.5])), (empty, ["II"])]
    first, second = backend.estimator().run(pubs).result()
    assert first.data.evs == pytest.approx(3.5)
    assert second.data.evs == pytest.approx([1.0])
    assert second.data.stds == pytest.approx([0.0])
    assert second.metadata["executions"] == 0


def test_one_measured_circuit_serves_all_commuting_observables(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (5,))
    estimator = open_backend("noisy:fake_manila", shots=50, seed=1).estimator()
    commuting = [["ZII"], ["IZI"], ["IIZ"], ["ZZZ"]]
    metadata = estimator.run([(circuit, commuting, values)]).result()[0].metadata
    assert metadata["measurement_groups"] == 1
    assert metadata["circuits"] == 5
    assert metadata["executions"] == 250
    mixed = estimator.run([(circuit, [["ZII"], ["XII"]], values)]).result()[0].metadata
    assert (mixed["measurement_groups"], mixed["circuits"]) == (2, 10)


def test_only_the_rows_that_need_a_basis_are_measured_in_it(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    estimator = open_backend("noisy:fake_manila", shots=50, seed=1).estimator()
    metadata = estimator.run([(circuit, ["ZII", "XII"], values)]).result()[0].metadata
    assert metadata["circuits"] == 2


def test_standard_errors_are_those_of_the_estimates(make_circuit, values_for):
    """The spread over independent repetitions is the stated standard error."""
    circuit = make_circuit()
    values = np.repeat(values_for(circuit, (1,), seed=3), 400, axis=0)
    observable = SparsePauliOp(["ZZI", "IZZ", "XXI", "IIX"], [1.0, 0.7, -0.5, 0.3])
    backend = open_backend("noisy:fake_manila", shots=200, seed=9)
    data = backend.estimator().run([(circuit, observable, values)]).result()[0].data
    assert np.std(data.evs) == pytest.approx(np.mean(data.stds), rel=0.15)


def test_results_belong_to_the_seed_and_rows_are_independent(make_circuit, values_for):
    circuit = make_circuit()
    values = np.repeat(values_for(circuit, (1,)), 6, axis=0)

    def run(seed, name="noisy:fake_manila"):
        backend = open_backend(name, shots=500, seed=seed)
        return backend.estimator().run([(circuit, "ZII", values)]).result()[0].data.evs

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    assert not np.array_equal(run(None), run(None))
    assert len(set(run(1).tolist())) > 1
    np.testing.assert_array_equal(run(1, "fake_manila"), run(1, "fake_manila"))


def test_precision_decides_the_shots(make_circuit, values_for):
    circuit = make_circuit()
    estimator = open_backend("noisy:fake_manila", precision=0.1, seed=1).estimator()
    pub = (circuit, "ZII", values_for(circuit))
    assert estimator.run([pub]).result()[0].metadata["shots"] == 100
    assert estimator.run([pub], precision=0.05).result()[0].metadata["shots"] == 400
    exact_backend = open_backend("aer", shots=1000, seed=1).estimator()
    assert exact_backend.run([pub]).result()[0].metadata["shots"] == 1000


@pytest.mark.parametrize("shots", [1, 3, 100, 1000, 1024, 4096, 9999, 123457])
def test_shots_survive_the_way_through_a_precision(shots):
    from qvlm_qiskit.backends.pubs.shots import precision_of_shots, shots_of_precision

    assert shots_of_precision(precision_of_shots(shots)) == shots


def test_a_precision_of_zero_cannot_be_sampled(make_circuit, values_for):
    circuit = make_circuit()
    estimator = open_backend("noisy:fake_manila", method="aer").estimator()
    with pytest.raises(InputError, match="precision"):
        estimator.run([(circuit, "ZII", values_for(circuit))], precision=0.0)


def test_the_reduced_device_gives_what_the_full_device_gives():
    """On all five qubits of the device, and on the two that the circuit uses."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    circuit = QuantumCircuit(2)
    circuit.rx(0.7, 0)
    circuit.cx(0, 1)
    backend = open_backend("noisy:fake_manila", shots=200_000, seed=5)
    result = backend.estimator().run([(circuit, ["ZI", "IZ", "ZZ"])]).result()[0]
    compiled = backend.compile(circuit, ["ZI", "IZ", "ZZ"])
    full = compiled.circuit.copy()
    full.measure_all()
    simulator = AerSimulator(noise_model=NoiseModel.from_backend(FakeManilaV2()))
    counts = simulator.run(full, shots=200_000, seed_simulator=6).result().get_counts()
    for value, observable in zip(
        result.data.evs, compiled.observables.sparse_observables_array(), strict=True
    ):
        signs = [
            (-1) ** sum(bits[::-1][qubit] == "1" for qubit in observable.indices) for bits in counts
        ]
        mean = np.dot(signs, list(counts.values())) / 200_000
        assert value == pytest.approx(mean, abs=0.015)


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


def test_delays_are_refused_where_their_noise_is_not_modelled():
    backend = open_backend("noisy:fake_manila")
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.delay(1000, 0, "dt")
    with pytest.raises(CircuitError, match="delay"):
        backend.device.run([(circuit, "Z")])
    with pytest.raises(CircuitError, match="can't be compiled"):
        backend.estimator().run([(circuit, "Z")])


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


@pytest.mark.parametrize("gate", ["cp", "crx", "cry", "crz"])
def test_aer_binds_the_angles_of_controlled_rotations(gate):
    angle = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.ry(0.3, 1)
    getattr(circuit, gate)(angle, 0, 1)
    circuit.h([0, 1])
    observable = SparsePauliOp(["ZI", "XY"], [1.0, 0.5])
    pub = (circuit, observable, [1.1])
    found = open_backend("aer").estimator().run([pub]).result()[0].data.evs
    exact = Statevector(circuit.assign_parameters([1.1])).expectation_value(observable).real
    np.testing.assert_allclose(found, exact, atol=1e-10)
