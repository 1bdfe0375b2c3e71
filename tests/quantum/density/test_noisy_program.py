import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.noise_models import (
    parse_parametric,
)
from qvlm_qiskit.quantum import TorchEstimator


def test_too_many_qubits_are_sent_to_trajectories():
    circuit = QuantumCircuit(12)
    circuit.sx(range(11))
    with pytest.raises(CapacityError, match=r"11 qubits.*at most 10.*trajectories.*method='aer'"):
        TorchEstimator(noise_model=parse_parametric("zz(0.1)")).run([(circuit, "Z" * 12)]).result()
    circuit.data.pop()
    values = TorchEstimator(noise_model=parse_parametric("depolarizing(0.01)"))
    assert values.run([(circuit, "Z" + 11 * "I")]).result()[0].data.evs == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("build_circuit", "says"),
    [
        (lambda c: c.h(0), "'h' is no gate"),
        (lambda c: c.measure_all(), "measure"),
        (lambda c: c.append(Gate("sx", 1, []), [0]), "no standard gate"),
    ],
)
def test_what_is_not_isa_is_refused(build_circuit, says):
    circuit = QuantumCircuit(2)
    build_circuit(circuit)
    estimator = TorchEstimator(noise_model=parse_parametric("depolarizing(0.1)"))
    with pytest.raises(CircuitError, match=says):
        estimator.run([(circuit, "ZZ")]).result()
