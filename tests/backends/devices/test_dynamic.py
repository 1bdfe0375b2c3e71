"""Circuits that measure in their middle: machines that run them, and what the others say."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

from qvlm_qiskit import QuantumLayer, TorchEstimator, open_backend
from qvlm_qiskit.backends.devices import sampling
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.recording import recorded_backend
from qvlm_qiskit.quantum import make_qnn
from tests.runtime_server import RuntimeServer

OBSERVABLES = [SparsePauliOp("ZI"), SparsePauliOp("XZ"), SparsePauliOp("IX")]
SHOTS = 400
CLOSE = 5 / np.sqrt(SHOTS)
DEVICE = "noisy:fake_manila"
RUN = [("aer", {}), (DEVICE, {"noise_scale": 0.0}), (DEVICE, {"noise_scale": 0.0, "method": "aer"})]
# elsewhere the same averages come from controlled gates on more qubits
LATER = [
    ("aer", {}), ("pauli-propagation", {}), (DEVICE, {"precision": 0}),
    (DEVICE, {"shots": SHOTS, "method": "density"}), ("fake_manila", {"shots": SHOTS}),
    (DEVICE, {"shots": SHOTS, "mitigation": "readout"}), ("noisy:fake_lima", {"shots": SHOTS}),
    ("fake_manila", {"shots": SHOTS, "mitigation": "resilience-1"}),
    ("noisy:depolarizing(0.001)", {"shots": SHOTS}), (f"{DEVICE}+zz(0.002)", {"shots": SHOTS}),
]  # fmt: skip
NOISE = 0.06


def decided():
    """A measurement decides on a rotation, whose outcome decides again."""
    x, w = Parameter("x"), ParameterVector("w", 2)
    circuit = QuantumCircuit(2, 2)
    circuit.ry(x, 0)
    circuit.cx(0, 1)
    circuit.measure(0, 1)
    with circuit.if_test((circuit.clbits[1], 1)) as otherwise:
        circuit.ry(w[0], 1)
    with otherwise:
        circuit.rx(w[1], 1)
    circuit.reset(0)
    circuit.ry(w[1], 0)
    return circuit, [x], [*w]


def layer():
    circuit, inputs, weights = decided()
    return QuantumLayer(make_qnn(circuit, inputs, weights, OBSERVABLES), [0.7, -1.1])


@pytest.mark.parametrize(("name", "options"), RUN)
def test_values_and_gradients_are_those_of_the_exact_engine(name, options):
    one, rows = layer(), torch.tensor([[0.4], [1.9]])

    def found():
        one.zero_grad()
        inputs = rows.clone().requires_grad_()
        values = one(inputs)
        values.sum().backward()
        return values.detach(), inputs.grad, one.weight.grad

    exact = found()
    one.run_on(open_backend(name, shots=SHOTS, seed=1, **options), gradient="param_shift")
    for mine, expected in zip(found(), exact, strict=True):
        torch.testing.assert_close(mine, expected, atol=3 * CLOSE, rtol=0)


def test_noise_reaches_what_is_decided():
    circuit, *_ = decided()
    pub = (circuit, OBSERVABLES, [0.0, 0.0, 0.0])
    noisy = open_backend(DEVICE, shots=SHOTS, seed=1, noise_scale=3.0).estimator()
    assert noisy.run([pub]).result()[0].data.evs[0] < 0.95
    assert TorchEstimator().run([pub]).result()[0].data.evs[0] == pytest.approx(1)


def test_shots_are_trajectories_of_states_and_draw_as_density_matrices_do(monkeypatch):
    """Aer runs each shot by itself; with density matrices that took minutes at 8 qubits."""
    circuit, *_ = decided()
    pub = (circuit, [[one] for one in OBSERVABLES], [0.4, 0.7, -1.1])
    run, methods = AerSimulator.run, []

    def noted(self, *given, **options):
        job = run(self, *given, **options)
        methods.append({one.metadata["method"] for one in job.result().results})
        return job

    monkeypatch.setattr(AerSimulator, "run", noted)

    def found():
        backend = open_backend(DEVICE, shots=600, seed=5, noise_scale=5.0)
        return backend.estimator().run([pub]).result()[0].data

    states = found()
    monkeypatch.setattr(sampling, "_method", lambda simulator, pub: {})
    densities = found()
    assert methods == [{"statevector"}, {"density_matrix"}]
    allowed = 4.5 * np.hypot(states.stds, densities.stds)
    assert (np.abs(states.evs - densities.evs) < allowed).all()


@pytest.mark.parametrize(("name", "options"), LATER)
def test_everywhere_else_measurements_wait_for_the_end(name, options):
    if name == "pauli-propagation":
        pytest.importorskip("pauli_prop")
    circuit, *_ = decided()
    pub = (circuit, OBSERVABLES, [0.4, 0.7, -1.1])
    exact = TorchEstimator(dtype="complex128").run([pub]).result()[0].data.evs
    found = open_backend(name, seed=2, **options).estimator().run([pub]).result()[0].data
    allowed = 5 * found.stds + (1e-10 if name in ("aer", "pauli-propagation") else NOISE)
    assert (np.abs(found.evs - exact) < allowed).all()


def test_under_noise_gradients_are_exact_too():
    one = layer()
    one.run_on(open_backend(DEVICE, precision=0))
    rows = torch.tensor([[0.4]], dtype=torch.float64, requires_grad=True)
    one.double()
    assert one.differentiable_engine() is not None
    assert torch.autograd.gradcheck(one, rows, eps=1e-5, atol=1e-7)


def test_a_service_takes_it(monkeypatch):
    with RuntimeServer(["fake_manila"]) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        backend = open_backend("ibm:fake_manila", shots=SHOTS)
        circuit, *_ = decided()
        pub = (circuit, OBSERVABLES, [0.4, 0.7, -1.1])
        found = backend.estimator().run([pub]).result()[0].data
    exact = TorchEstimator(dtype="complex128").run([pub]).result()[0].data.evs
    assert (np.abs(found.evs - exact) < 5 * found.stds + NOISE).all()


def test_a_preflight_says_how_it_runs():
    report = open_backend("fake_manila", shots=50).preflight(layer(), mitigations=("none",))
    assert any("as controlled gates on 3 qubits instead of 2" in note for note in report.notes())
    assert not open_backend(DEVICE, shots=50).preflight(layer(), mitigations=("none",)).notes()


@pytest.mark.parametrize(
    ("name", "options"),
    [("aer", {}), (DEVICE, {"precision": 0}), ("fake_manila", {"shots": 10})],
)
def test_what_cannot_wait_says_in_one_line_where_it_runs(name, options):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h(0)
        circuit.measure(0, 0)
    with pytest.raises(CircuitError, match=r"'while_loop' stands in the way.*'aer'") as error:
        open_backend(name, **options).estimator().run([(circuit, "Z")]).result()
    assert "\n" not in str(error.value)


def test_a_measurement_at_the_end_is_the_estimators_business():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    with pytest.raises(CircuitError, match="remove_final_measurements"):
        open_backend("aer", shots=10).estimator().run([(circuit, "Z")])


def test_a_preflight_counts_it_and_a_ledger_keeps_it(tmp_path):
    backend, one = open_backend("aer", shots=50, seed=3), layer()
    circuit, *_ = decided()
    report = backend.preflight(one)
    assert report.blocks[0].refused is None
    store = JobStore(tmp_path / "jobs")
    pub = (circuit, [[o] for o in OBSERVABLES], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    answers = [
        recorded_backend(backend, store).estimator().run([pub]).result()[0].data.evs
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*answers)
    assert len(store.find()) == 1
    store.close()
