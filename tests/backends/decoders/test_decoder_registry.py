"""The names of decoders are those that ledgers hold."""

import pytest

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.services.decode import decode

STORED = ("local-1", "runtime-estimator-1", "runtime-executor-1")


def test_every_stored_name_has_its_decoder():
    assert set(STORED) <= set(DECODERS.names())
    assert len({DECODERS.load(name) for name in STORED}) == len(STORED)


def test_an_unknown_decoder_is_named_with_the_nearest():
    with pytest.raises(LedgerError, match=r"'local-2'.*did you mean 'local-1'"):
        decode("local-2", b"", Package(()))
