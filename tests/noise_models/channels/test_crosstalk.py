import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.basics.pauli_transfer import unitary_ptm
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    GateNoise,
    NoiseSpec,
    QubitNoise,
    calibrated,
    parse_parametric,
    with_crosstalk,
)


def test_crosstalk_turns_neighbours_and_idle_ones_as_an_rz():
    spec = parse_parametric("zz(0.3)")
    circuit = QuantumCircuit(4)
    circuit.sx(0)
    circuit.cz(1, 2)
    written = with_crosstalk(circuit, spec)
    shown = [(i.name, [written.find_bit(q).index for q in i.qubits]) for i in written.data]
    assert shown == [("sx", [0]), ("cz", [1, 2]), ("rzz", [1, 0]), ("rz", [2])]
    own = ChannelNoise(spec).after("cz", (1, 2), {0, 1, 2}, 4)
    assert [qubits for qubits, _ in own] == [(1, 0), (2,)]
    pair = QuantumCircuit(2)
    pair.rzz(0.3, 0, 1)
    np.testing.assert_allclose(own[0][1], unitary_ptm(Operator(pair).data), atol=1e-12)
    alone = QuantumCircuit(1)
    alone.rz(0.3, 0)
    np.testing.assert_allclose(own[1][1], unitary_ptm(Operator(alone).data), atol=1e-12)


def test_crosstalk_follows_the_couplings_of_a_device():
    spec = NoiseSpec(
        "T", ("cz", "rz", "sx"), (QubitNoise(),) * 4,
        tuple(GateNoise("cz", pair, 2) for pair in ((0, 1), (1, 2), (1, 3))),
        sources=parse_parametric("zz(0.3)").sources,
    )  # fmt: skip
    assert [q for q, _ in ChannelNoise(spec).after("cz", (0, 1), {0, 1, 2, 3}, 4)] == [
        (1, 2), (1, 3),
    ]  # fmt: skip
    untouched = QuantumCircuit(2)
    assert with_crosstalk(untouched, calibrated(FakeManilaV2().target)) is untouched
