"""The name under which ledgers hold results of the client-side estimator."""

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.ibm.decode import decode_executor
from qvlm_qiskit.backends.pubs.answer import DamagedResultError
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.jobs.services.decode import decode

NAME = "runtime-executor-1"


def test_its_name_leads_to_the_decoder_of_the_client_side_estimator():
    assert DECODERS.load(NAME) is decode_executor


@pytest.mark.parametrize("raw", [b"", b"{", b"no result"])
def test_what_is_no_result_is_damaged(raw):
    pub = EstimatorPub.coerce((QuantumCircuit(1), "Z", None, 0.1))
    with pytest.raises(DamagedResultError):
        decode(NAME, raw, Package((pub,), {"resilience_level": 0}))
