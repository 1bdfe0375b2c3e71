"""Backends that are opened by an object."""

import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.providers import BackendV2, Options
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.noise.passes import LocalNoisePass
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices.objects import on_qubits
from qvlm_qiskit.errors import InputError

SHOTS = 20_000


class Elsewhere(BackendV2):
    """Another maker's backend: it has a target and runs measured circuits."""

    def __init__(self):
        super().__init__(name="elsewhere")
        self._like = GenericBackendV2(5, seed=1)

    @property
    def target(self):
        return self._like.target

    @property
    def max_circuits(self):
        return None

    @classmethod
    def _default_options(cls):
        return Options(shots=100)

    def run(self, run_input, **options):
        return self._like.run(run_input, **options)


def weak_noise():
    model = NoiseModel(["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.001, 2), "cx")
    model.add_readout_error(ReadoutError([[0.999, 0.001], [0.002, 0.998]]), [1])
    return model


OBJECTS = {
    "fake": FakeManilaV2,
    "generic": lambda: GenericBackendV2(5, seed=1),
    "another": Elsewhere,
    "model": weak_noise,
    "aer": AerSimulator,
    "noisy aer": lambda: AerSimulator(noise_model=weak_noise()),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_any_object_runs_pubs(make, make_circuit, values_for):
    circuit = make_circuit(2)
    pub = (circuit, ["ZI", "XY"], values_for(circuit, (2, 1)))
    backend = open_backend(make(), shots=SHOTS, seed=1)
    result = backend.estimator().run([pub]).result()[0]
    wanted = StatevectorEstimator().run([pub]).result()[0].data.evs
    assert np.abs(result.data.evs - wanted).max() < 0.2
    assert result.metadata["shots"] == SHOTS
    assert backend.with_mitigation("readout").options.mitigation == "readout"


def test_a_noise_models_errors_stay_on_their_qubits(make_circuit):
    model = NoiseModel(["x", "cx"])
    model.add_quantum_error(depolarizing_error(0.5, 1), "x", [3])
    model.add_readout_error(ReadoutError([[0.8, 0.2], [0.1, 0.9]]), [4])
    part = on_qubits(model, (3, 4))
    assert part._local_quantum_errors["x"].keys() == {(0,)}
    assert part._local_readout_errors.keys() == {(1,)}
    assert not on_qubits(model, (0, 1))._local_quantum_errors.get("x")


def test_a_noise_models_values_are_aers(make_circuit, values_for):
    model = NoiseModel(["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), "cx")
    circuit = make_circuit(2)
    values = values_for(circuit)
    backend = open_backend(model, shots=SHOTS, seed=1, optimization_level=1)
    compiled = backend.compile(circuit, "ZZ")
    named = dict(zip((p.name for p in circuit.parameters), values, strict=True))
    bound = compiled.circuit.assign_parameters(
        {p: named[p.name] for p in compiled.circuit.parameters}
    )
    kept = bound.copy_empty_like()
    kept.data = bound.data
    kept.save_expectation_value(SparsePauliOp("ZZ"), list(compiled.layout))
    simulator = AerSimulator(noise_model=model, method="density_matrix")
    wanted = simulator.run(kept).result().data()["expectation_value"]
    found = backend.estimator().run([(circuit, "ZZ", values)]).result()[0].data.evs
    assert abs(found - wanted) < 5 / np.sqrt(SHOTS)


def test_a_noise_models_relaxation_during_delays_stays(within_errors):
    device = FakeManilaV2()
    model = NoiseModel.from_backend(device, gate_error=False, readout_error=False)
    model._local_quantum_errors.clear()
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.delay(100, 0, unit="us")
    backend = open_backend(model, shots=SHOTS, seed=1)
    compiled = backend.compile(circuit, "Z")
    (qubit,) = compiled.layout
    t1 = device.target.qubit_properties[qubit].t1
    found = backend.estimator().run([(circuit, "Z")]).result()[0]
    within_errors(found, 1 - 2 * np.exp(-100e-6 / t1))
    other = NoiseModel()
    other._custom_noise_passes.append(LocalNoisePass(lambda op, qubits: None))
    with pytest.raises(InputError, match="LocalNoisePass"):
        open_backend(other, shots=10).estimator().run([(circuit, "Z")]).result()


def test_what_is_none_is_refused():
    with pytest.raises(InputError, match="not by int"):
        open_backend(7)


def test_an_opened_object_goes_to_another_process(make_circuit, values_for):
    backend = open_backend(weak_noise(), shots=100, seed=1)
    circuit = make_circuit(2)
    pub = (circuit, "ZI", values_for(circuit))
    again = pickle.loads(pickle.dumps(backend))
    found = [b.estimator().run([pub]).result()[0].data.evs for b in (backend, again)]
    assert found[0] == found[1]
