"""The estimator that folds angles, in the stack of a machine."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.folded import Folded, legal
from qvlm_qiskit.backends.pubs.work import Call
from tests.backends.conftest import assert_within_errors, exact_values


def ansatz(qubits=3, layers=2):
    circuit = QuantumCircuit(qubits)
    angles = iter(ParameterVector("a", 2 * qubits * (layers + 1)))
    for _ in range(layers):
        for qubit in range(qubits):
            circuit.rx(next(angles), qubit)
        for qubit in range(qubits - 1):
            circuit.rzz(next(angles), qubit, qubit + 1)
    for qubit in range(qubits):
        circuit.rx(next(angles), qubit)
    return circuit


ASKED = [["ZZI"], ["IXX"]]


def rows(circuit, count=3):
    return np.random.default_rng(4).uniform(-4 * np.pi, 4 * np.pi, (count, circuit.num_parameters))


class Seen:
    """Answers nothing and keeps what it is asked."""

    def run(self, pubs, *, precision=None):
        return list(pubs)


def test_what_is_planned_is_what_runs():
    circuit = ansatz()
    pub = EstimatorPub.coerce((circuit, ASKED, rows(circuit)), 0.1)
    folded = Folded(Seen())
    (ran,) = folded.run([pub])
    ((planned,),) = [call.pubs for call in folded.plan([Call((pub,), "block")])]
    assert ran.shape == planned.shape == pub.shape
    assert ran.precision == 0.1
    np.testing.assert_array_equal(
        ran.parameter_values.as_array(), planned.parameter_values.as_array()
    )
    assert ran.circuit is planned.circuit
    np.testing.assert_allclose(
        exact_values(ran.circuit, ran.observables, ran.parameter_values),
        exact_values(circuit, ASKED, rows(circuit)),
        atol=1e-9,
    )


def test_parameters_that_stand_in_several_gates_and_sums():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rx(a, 0)
    circuit.rx(0.4, 1)
    circuit.rzz(2 * a - b, 0, 1)
    circuit.rx(b, 0)
    circuit.rzz(b.sin() * 5, 0, 1)
    values = np.random.default_rng(1).uniform(-9, 9, (4, 1, 2))
    pub = EstimatorPub.coerce((circuit, ["ZY", "YZ", "XI"], values))
    assert legal(pub).shape == (4, 3)
    found = legal(pub)
    np.testing.assert_allclose(
        exact_values(found.circuit, found.observables, found.parameter_values),
        exact_values(circuit, ["ZY", "YZ", "XI"], values),
        atol=1e-9,
    )


def test_circuits_without_such_gates_stay_as_they_are():
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    pub = EstimatorPub.coerce((circuit, "ZZ"))
    assert legal(pub) is pub


def test_half_of_the_two_qubit_gates_are_left():
    circuit = ansatz()
    plain, fewer = (
        open_backend("noisy:fake_fractional", precision=0, seed=1, fractional=fractional)
        for fractional in (False, True)
    )
    before, after = (b.compile(circuit, "ZZI") for b in (plain, fewer))
    assert after.two_qubit_gates <= 0.6 * before.two_qubit_gates
    assert after.success_probability > before.success_probability
    pub = (circuit, ASKED, rows(circuit))
    exact = exact_values(*pub)
    errors = [np.abs(b.estimator().run([pub]).result()[0].data.evs - exact) for b in (plain, fewer)]
    assert errors[1].mean() < errors[0].mean()
    assert fewer.describe()["fractional"] is True


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("noisy:fake_fractional", {"mitigation": "readout"}),
        ("noisy:fake_fractional", {"mitigation": "readout+cdr", "noise_scale": 0.2}),
        ("noisy:fake_fractional", {"noise_scale": 0.0, "tiles": 2, "tile_spacing": 0}),
        ("fake_fractional", {"mitigation": "readout"}),
        pytest.param("fake_fractional", {"mitigation": "dd"}, marks=pytest.mark.slow),
        pytest.param("fake_fractional", {"mitigation": "resilience-1"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_it_goes_with_what_takes_any_angle(name, options):
    circuit = ansatz(2, 1)
    pub = (circuit, [["ZZ"], ["IX"]], rows(circuit, 4))
    backend = open_backend(name, shots=2000, seed=3, fractional=True, **options)
    planned = backend.preflight({"ansatz": (circuit, ["ZZ", "IX"])}, 4).levels[0]
    result = backend.estimator().run([pub]).result()[0]
    assert np.abs(result.data.evs - exact_values(*pub)).max() < 0.25
    assert planned.refused is None
    if options.get("noise_scale") == 0:
        assert_within_errors(result, exact_values(*pub))


def test_gradients_by_shifts_are_those_of_exact_values():
    torch = pytest.importorskip("torch")
    from qvlm_qiskit.quantum import QuantumLayer, make_qnn

    circuit = ansatz(2, 1)
    network = make_qnn(circuit, circuit.parameters[:1], circuit.parameters[1:])
    layer = QuantumLayer(network)
    given = torch.tensor([[0.4]], dtype=torch.float64)

    def gradient():
        layer.zero_grad()
        layer(given).sum().backward()
        return layer.weight.grad.clone()

    exact = gradient()
    noise_free = open_backend(
        "noisy:fake_fractional", precision=0, noise_scale=0.0, seed=1, fractional=True
    )
    with layer.run_on(noise_free, gradient="param_shift"):
        assert torch.allclose(gradient(), exact, atol=1e-6)
