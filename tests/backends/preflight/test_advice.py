"""What is advised about a circuit."""

import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.preflight.advice import advice, largest_encoding
from qvlm_qiskit.blocks import build_core


@pytest.mark.parametrize("qubits", [8, pytest.param(12, marks=pytest.mark.slow)])
def test_amplitude_encoding_is_called_what_it_is(qubits):
    core = build_core("quantum", qubits, 1)
    backend = open_backend("noisy:fake_torino", optimization_level=0, layout_trials=1)
    network = core.layer.neural_network
    compiled = backend.compile(network.circuit, "Z" * qubits)
    said = " ".join(advice(network.circuit, compiled))
    assert f"{2**qubits - 2:,} CX" in said
    assert "mostly noise" in said
    fitting = largest_encoding(network.circuit, compiled)
    assert 3 <= fitting < 8
    assert f"at most {fitting} qubits" in said


def test_the_extrapolated_size_is_about_right():
    """Blocks of that size really keep the success probability, those two qubits larger do not."""
    backend = open_backend("noisy:fake_torino", optimization_level=0)

    def compiled(qubits):
        network = build_core("quantum", qubits, 1).layer.neural_network
        return network.circuit, backend.compile(network.circuit, "Z" * qubits)

    fitting = largest_encoding(*compiled(8))
    assert compiled(fitting)[1].success_probability > 0.4
    assert compiled(fitting + 2)[1].success_probability < 0.5


def test_advice_without_an_encoding_is_not_about_one():
    circuit = QuantumCircuit(5)
    for _ in range(40):
        circuit.cx(range(4), range(1, 5))
        circuit.rx(0.1, range(5))
    compiled = open_backend("noisy:fake_manila").compile(circuit, "ZZZZZ")
    said = " ".join(advice(circuit, compiled))
    assert "fewer qubits or layers" in said
    assert "encoding" not in said
    assert advice(QuantumCircuit(1), open_backend("aer").compile(QuantumCircuit(1), "Z")) == []
