"""Every machine by every gradient that it can do, against differences of exact values.

A layer is differentiated as a training does it, by its inputs and its weights. What is expected are
the central differences of the values that the machine has without the scatter of shots.
"""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit import open_backend
from qvlm_qiskit.errors import BackendError, CircuitError
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, make_qnn

SHOTS, DIRECTIONS, STEP = 4000, 150, 1e-4
ROWS = torch.tensor([[0.4, -1.1], [1.3, 0.2]], dtype=torch.float64)
FACTORS = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=torch.float64)

EXACT = {
    "statevector": {},
    "aer": {},
    "noisy:depolarizing(0.02)": {"precision": 0},
    "noisy:fake_manila": {"precision": 0},
}
# machine, options, the same without scatter, and how far the two may differ beyond scatter
SAMPLED = {
    "aer": ("aer", {"shots": SHOTS}, ("statevector", {}), 0.0),
    "noisy": (
        "noisy:depolarizing(0.02)",
        {"shots": SHOTS},
        ("noisy:depolarizing(0.02)", {"precision": 0}),
        0.0,
    ),
    "noisy device": (
        "noisy:fake_manila",
        {"shots": SHOTS},
        ("noisy:fake_manila", {"precision": 0}),
        0.0,
    ),
    "mitigated": (
        "noisy:readout(0.1)",
        {"shots": SHOTS, "mitigation": "readout"},
        ("statevector", {}),
        0.0,
    ),
    # Aer's noise model of the device, and the placement of the compiler
    "fake": ("fake_manila", {"shots": SHOTS}, ("noisy:fake_manila", {"precision": 0}), 0.05),
}


@pytest.fixture(scope="module")
def layer():
    x, w = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.ry(x[1] * 2, 1)
    circuit.cx(0, 1)
    circuit.rx(w[0], 0)
    circuit.crx(w[1], 0, 1)
    circuit.rz(w[2] + x[0], 1)
    circuit.ry(w[2], 1)
    observables = [SparsePauliOp("IZ"), SparsePauliOp(["XX", "ZI"], [0.5, 0.5])]
    network = make_qnn(circuit, list(x), list(w), observables)
    return QuantumLayer(network, initial_weights=np.array([0.7, -0.4, 1.9])).double()


def loss(layer, rows):
    return (layer(rows) * FACTORS).sum()


def gradients(layer):
    rows = ROWS.clone().requires_grad_()
    layer.weight.grad = None
    loss(layer, rows).backward()
    return torch.cat([rows.grad.flatten(), layer.weight.grad]).numpy()


@pytest.fixture(scope="module")
def expected(layer):
    """Central differences on a machine, measured once for each."""
    found = {}

    def differences(name, options):
        if name not in found:
            with layer.run_on(open_backend(name, **options)), torch.no_grad():
                found[name] = np.array([_slope(layer, place) for place in range(4 + 3)])
        return found[name]

    return differences


def _slope(layer, place):
    ends = []
    for step in (STEP, -STEP):
        rows, weight = ROWS.clone(), layer.weight.detach().clone()
        (rows.view(-1) if place < 4 else weight)[place % 4] += step
        before = layer.weight.data
        layer.weight.data = weight
        ends.append(float(loss(layer, rows)))
        layer.weight.data = before
    return (ends[0] - ends[1]) / (2 * STEP)


@pytest.mark.parametrize("name", EXACT)
def test_exact_machines_are_differentiated_exactly(layer, expected, name):
    with layer.run_on(open_backend(name, **EXACT[name])):
        np.testing.assert_allclose(gradients(layer), expected(name, EXACT[name]), atol=1e-5)


MACHINES = [
    pytest.param(name, marks=pytest.mark.slow if name == "fake" else ()) for name in SAMPLED
]


@pytest.mark.parametrize("name", MACHINES)
def test_the_parameter_shift_is_unbiased_on_every_machine(layer, expected, name):
    machine, options, reference, beyond = SAMPLED[name]
    want = expected(*reference)
    with layer.run_on(open_backend(machine, seed=3, **options), "param_shift"):
        found = gradients(layer)
    # one derivative scatters by about 0.02; the largest are 0.7
    np.testing.assert_allclose(found, want, atol=0.1 + beyond)


@pytest.mark.parametrize("name", MACHINES)
def test_spsa_is_the_gradient_on_average_on_every_machine(layer, expected, name):
    machine, options, reference, _ = SAMPLED[name]
    want = expected(*reference)
    how = SampledGradient("spsa", samples=DIRECTIONS, epsilon=0.3, seed=5)
    with layer.run_on(open_backend(machine, seed=3, **options), how):
        found = gradients(layer)
    # the other six components of every direction add √(6 / 150) of its length
    assert np.linalg.norm(found - want) < 0.4 * np.linalg.norm(want)


@pytest.mark.parametrize("name", MACHINES)
def test_without_a_method_samples_are_not_differentiated(layer, name):
    machine, options, _, _ = SAMPLED[name]
    with (
        layer.run_on(open_backend(machine, seed=3, **options)),
        pytest.raises((BackendError, CircuitError), match="param_shift"),
    ):
        gradients(layer)
