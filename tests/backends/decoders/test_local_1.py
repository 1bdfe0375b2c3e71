"""The raw results of jobs of this computer."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.decoders.local_1 import decode_local, encode_local
from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer
from qvlm_qiskit.backends.pubs.package import Package


def test_a_changed_local_result_is_an_error_and_never_another_value():
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    pub = EstimatorPub.coerce((circuit, ["Z", "X"], np.linspace(0, 1, 2)[:, None]))
    package = Package((pub,))
    values = np.random.default_rng(1).normal(size=pub.shape)
    raw = encode_local([PubAnswer(values, np.abs(values), {"shots": 10})])

    def decoded(content):
        try:
            (answer,) = decode_local(content, package)
        except DamagedResultError:
            return None
        assert answer.metadata == {"shots": 10}
        return answer.evs.tobytes(), answer.stds.tobytes()

    expected = decoded(raw)
    assert expected == (values.tobytes(), np.abs(values).tobytes())
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << (place % 8)
        assert decoded(bytes(changed)) in (None, expected), place
    for length in range(0, len(raw), 7):
        assert decoded(raw[:length]) is None
