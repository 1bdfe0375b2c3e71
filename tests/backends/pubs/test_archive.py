"""Archives of circuits and plain data."""

import json

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends.pubs.archive import (
    UNREADABLE,
    circuit_bytes,
    read_circuit,
    unzipped,
    zipped,
)
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import CircuitError, LedgerError


def archive(version=1):
    return zipped({"a": b"first", "about.json": json.dumps({"format": version}).encode()})


def test_what_was_put_in_comes_out_and_equal_files_are_equal_archives():
    files, about = unzipped(archive(), "about.json", 1, "a test")
    assert (files["a"], about) == (b"first", {"format": 1})
    assert archive() == archive()


def test_another_format_is_named():
    with pytest.raises(LedgerError, match="a test of format 2; this release reads 1"):
        unzipped(archive(2), "about.json", 1, "a test")


@pytest.mark.parametrize("content", [b"", archive()[:-9], zipped({"a": b"first"})])
def test_damage_is_one_of_the_errors_that_readers_expect(content):
    with pytest.raises(UNREADABLE):
        unzipped(content, "about.json", 1, "a test")


def test_a_circuit_is_written_only_if_it_reads_as_it_is():
    circuit = QuantumCircuit(1)
    circuit.rx(2 * Parameter("a"), 0)
    digest = circuit_digest(circuit)
    assert circuit_digest(read_circuit(circuit_bytes(circuit, digest))) == digest
    with pytest.raises(CircuitError, match="reads one of its expressions"):
        circuit_bytes(circuit, "another")
