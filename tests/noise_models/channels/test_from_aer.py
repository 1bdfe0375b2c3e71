"""Aer's noise models as descriptions: what can be read is exact, and the rest is refused."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate
from qiskit.quantum_info import PTM, Kraus, SparsePauliOp, SuperOp, random_quantum_channel
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    PauliLindbladError,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    phase_amplitude_damping_error,
    reset_error,
    thermal_relaxation_error,
)
from qiskit_aer.noise.passes import LocalNoisePass, RelaxationNoisePass
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    NoiseSpec,
    build,
    calibrated,
    kinds_of,
    parse_parametric,
    read_noise_model,
    scaled,
)

BASIS = ["rz", "sx", "x", "cx"]


def everywhere():
    """Errors of every sort, the same on all qubits."""
    model = NoiseModel(BASIS)
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.02), ("Z", 0.01), ("I", 0.97)]), "sx")
    damping = phase_amplitude_damping_error(0.03, 0.02, 0.2)
    model.add_all_qubit_quantum_error(damping, "x")
    both = depolarizing_error(0.02, 2).compose(
        thermal_relaxation_error(50e3, 30e3, 400).tensor(thermal_relaxation_error(40e3, 60e3, 400))
    )
    model.add_all_qubit_quantum_error(both, "cx")
    model.add_all_qubit_quantum_error(coherent_unitary_error(np.diag([1, np.exp(0.05j)])), "rz")
    model.add_all_qubit_readout_error(ReadoutError([[0.97, 0.03], [0.08, 0.92]]))
    return model


def placed():
    """Errors of their own on some qubits and pairs, beside those of all."""
    model = NoiseModel(BASIS)
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 1), ["sx", "x"])
    model.add_quantum_error(amplitude_damping_error(0.1), "sx", [1])
    model.add_quantum_error(reset_error(0.02, 0.01), "x", [2])
    model.add_quantum_error(Kraus(random_quantum_channel(2, 2, seed=5)), "x", [0])
    generic = 0.97 * SuperOp(np.eye(16)) + 0.03 * SuperOp(random_quantum_channel(4, 4, seed=2))
    for pair in ([0, 1], [1, 0], [1, 2]):
        model.add_quantum_error(generic.power(1 + pair[0]), "cx", pair)
    model.add_all_qubit_quantum_error(PauliLindbladError(["XZ", "IY"], [0.02, 0.03]), "cz")
    model.add_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]), [2])
    model.add_all_qubit_readout_error(ReadoutError([[0.99, 0.01], [0.02, 0.98]]))
    return model


MODELS = {
    "everywhere": everywhere,
    "placed": placed,
    "device": lambda: NoiseModel.from_backend(FakeManilaV2()),
    "empty": NoiseModel,
    "ours": lambda: build(
        scaled(calibrated(FakeManilaV2().target, (0, 1, 2)), 1.5)
    ),
}  # fmt: skip


def random_circuit(rng, layers=4):
    circuit = QuantumCircuit(3)
    for _ in range(layers):
        for qubit in range(3):
            circuit.rx(rng.uniform(-3, 3), qubit)
            circuit.rz(rng.uniform(-3, 3), qubit)
        circuit.cx(0, 1)
        circuit.cx(2, 1)
    return circuit


def of_aer(model, compiled, layout):
    """⟨ZII⟩, ⟨IZI⟩ … of Aer's density matrix with the model, readout errors included."""
    circuit = compiled.copy_empty_like()
    circuit.data = compiled.data
    circuit.save_probabilities(layout)
    simulator = AerSimulator(noise_model=model, method="density_matrix")
    result = simulator.run(circuit, optimization_level=0).result()
    shares = np.asarray(result.data()["probabilities"]).reshape((2,) * len(layout))
    for axis, qubit in enumerate(reversed(layout)):
        error = model._local_readout_errors.get((qubit,), model._default_readout_error)
        if error is not None:
            moved = np.tensordot(np.asarray(error.probabilities), shares, axes=([0], [axis]))
            shares = np.moveaxis(moved, 0, axis)
    signs = np.array([1.0, -1.0])
    values = []
    for axis in reversed(range(len(layout))):
        other = tuple(i for i in range(len(layout)) if i != axis)
        values.append(float(shares.sum(axis=other) @ signs))
    both = shares.sum(axis=0)
    return [*values, float(signs @ both @ signs)]


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_aers_density_matrix(name):
    model = MODELS[name]()
    backend = open_backend(noise_model=model, precision=0, seed=1, optimization_level=1)
    ideal = open_backend("noisy:readout(0)", precision=0)
    observables = [["IIZ"], ["IZI"], ["ZII"], ["IZZ"]]
    for seed in range(2):
        circuit = random_circuit(np.random.default_rng(seed))
        compiled = backend.compile(circuit, observables)
        found = backend.estimator().run([(circuit, observables)]).result()[0].data.evs.ravel()
        wanted = of_aer(model, compiled.circuit, list(compiled.layout))
        np.testing.assert_allclose(found, wanted, atol=1e-10)
        free = ideal.estimator().run([(circuit, observables)]).result()[0].data.evs.ravel()
        assert (np.abs(found - free).max() > 0.01) == (name != "empty")


@pytest.mark.parametrize("name", MODELS)
def test_a_description_gives_aers_model_back(name, tmp_path):
    """Read, written to a file, opened and built again: every error is the same channel."""
    model = MODELS[name]()
    read_noise_model(model).save(tmp_path / "noise.json")
    spec = NoiseSpec.load(tmp_path / "noise.json")
    again = build(spec)
    for (gate, qubits), error in all_errors(model).items():
        if gate == "cz":  # an error of all qubits, where pairs are stated, is on these
            continue
        found = all_errors(again)[gate, qubits]
        np.testing.assert_allclose(SuperOp(found).data, SuperOp(error).data, atol=1e-9)
    for qubit in range(len(spec.qubits)):
        error = model._local_readout_errors.get((qubit,), model._default_readout_error)
        flips = np.zeros((2, 2)) if error is None else error.probabilities
        assert spec.readout(qubit) == pytest.approx((flips[0, 1], flips[1, 0]), abs=1e-12)


def all_errors(model):
    found = {(name, ()): error for name, error in model._default_quantum_errors.items()}
    for name, own in model._local_quantum_errors.items():
        found |= {(name, tuple(qubits)): error for qubits, error in own.items()}
    return found


@pytest.mark.parametrize("text", ["depolarizing(0.03)+readout(0.1)", "over_rotation(0.1)"])
def test_our_own_export_is_read_back(text):
    spec = parse_parametric(text)
    again = read_noise_model(build(spec))
    assert not again.qubits and kinds_of(again) == kinds_of(spec)
    assert again.readout(3) == pytest.approx(spec.readout(3))
    for name, qubits in (("sx", (4,)), ("cz", (2, 0)), ("rz", (1,))):
        (one, other) = (
            dict(ChannelNoise(one).after(name, qubits, qubits, 5)) for one in (spec, again)
        )
        assert one.keys() == other.keys()
        for place in one:
            np.testing.assert_allclose(one[place], other[place], atol=1e-12)


def test_stated_pairs_are_the_couplings_and_have_the_errors_of_all_pairs_too():
    spec = read_noise_model(placed())
    assert len(spec.qubits) == 3
    places = {name: {g.qubits for g in spec.gates if g.name == name} for name in ("cx", "cz", "sx")}
    assert places["cx"] == places["cz"] == {(0, 1), (1, 0), (1, 2)}
    assert places["sx"] == {(), (1,)}


def test_without_stated_pairs_every_pair_is_coupled():
    model = NoiseModel(BASIS)
    model.add_quantum_error(depolarizing_error(0.1, 1), "x", [2])
    spec = read_noise_model(model)
    assert len(spec.qubits) == 3 and {g.name for g in spec.gates if not g.qubits} == {"cx"}
    backend = open_backend(noise_model=model, precision=0)
    circuit = random_circuit(np.random.default_rng(0))
    assert backend.compile(circuit, "ZZZ").circuit.num_qubits == 3


def test_relaxation_during_delays_is_read():
    spec = read_noise_model(NoiseModel.from_backend(FakeManilaV2()))
    target = FakeManilaV2().target.qubit_properties
    for qubit, own in enumerate(spec.qubits):
        assert own.t1_us == pytest.approx(1e6 * target[qubit].t1)
        t2 = min(target[qubit].t2, 2 * target[qubit].t1)
        assert own.t2_us == pytest.approx(1e6 * t2)
    assert not any(gate.duration_ns for gate in spec.gates)  # their channels have it already


def hostile(**errors):
    model = NoiseModel(BASIS)
    for name, error in errors.items():
        model.add_all_qubit_quantum_error(error, name)
    return model


def with_pass(made):
    model = NoiseModel(BASIS)
    model._custom_noise_passes.append(made)
    return model


def correlated():
    model = NoiseModel(BASIS)
    model.add_readout_error(np.full((4, 4), 0.05) + 0.8 * np.eye(4), [0, 1])
    return model


def labelled():
    model = NoiseModel(BASIS)
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), CXGate(label="slow"))
    return model


def negative():
    model = NoiseModel(BASIS)
    model._default_quantum_errors["x"] = PauliLindbladError(["X"], [-0.1])
    return model


def wide():
    model = NoiseModel(BASIS)
    model._local_quantum_errors["x"] = {(0, 1): depolarizing_error(0.1, 2)}
    return model


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: hostile(measure=depolarizing_error(0.1, 1)), "quantum error on 'measure'"),
        (lambda: hostile(idle=depolarizing_error(0.1, 1)), "error on 'idle'"),
        (lambda: hostile(delay=depolarizing_error(0.1, 1)), "error on 'delay'"),
        (lambda: hostile(unitary=depolarizing_error(0.1, 1)), "error on 'unitary'"),
        (lambda: hostile(ccx=depolarizing_error(0.1, 3)), "gate on 3 qubits"),
        (labelled, "error on 'slow'"),
        (negative, "not completely positive"),
        (wide, "error of 2 qubits on 'x'"),
        (correlated, r"readout error of the qubits \[0, 1\] together"),
        (lambda: with_pass(LocalNoisePass(lambda op, qubits: None)), "LocalNoisePass"),
        (lambda: with_pass(RelaxationNoisePass([1e-5], [1e-5])), "delays only"),
        (lambda: with_pass(_excited()), "excited states"),
    ],
)
def test_what_a_description_can_not_say_is_refused_by_name(make, says):
    with pytest.raises(NoiseModelError, match=says) as found:
        open_backend(noise_model=make(), precision=0)
    assert "\n" not in str(found.value)


def _excited():
    from qiskit.circuit import Delay

    return RelaxationNoisePass([1e-5], [1e-5], op_types=Delay, excited_state_populations=[0.1])


def test_an_error_of_reset_is_read_and_shots_have_it():
    model = NoiseModel([*BASIS, "reset"])
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.25), ("I", 0.75)]), "reset")
    (gate,) = [gate for gate in read_noise_model(model).gates if gate.name == "reset"]
    np.testing.assert_allclose(gate.channel, PTM(pauli_error([("X", 0.25), ("I", 0.75)])).data)
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.reset(0)
    backend = open_backend(noise_model=model, shots=10_000, method="aer", seed=1)
    found = backend.estimator().run([(circuit, SparsePauliOp("Z"))]).result()[0].data
    assert abs(found.evs - 0.5) < 5 * found.stds


def test_an_error_that_is_no_channel_is_refused():
    model = NoiseModel(BASIS)
    model._default_quantum_errors["cx"] = _Strange()
    with pytest.raises(NoiseModelError, match="is no channel of gates"):
        read_noise_model(model)


class _Strange:
    num_qubits = 2
