"""Ledgers and results from somebody else: names that lead elsewhere, and sizes without end."""

import base64
import io
import json
import zipfile
import zlib

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from sqlalchemy import update

from qvlm_qiskit.backends.ibm.decode import decode_executor
from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer, checked
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import encode_local
from qvlm_qiskit.basics.sizes import TooLargeError
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.ids import checked_id, checked_server_id
from qvlm_qiskit.jobs.ledger.runs import list_runs, new_run
from qvlm_qiskit.jobs.services.decode import decode
from qvlm_qiskit.jobs.services.local import LocalJobs
from tests.jobs.unreliable import Unreliable

WRONG = [
    "../s-1",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "/etc/passwd",
    "s-1\0",
    "s 1",
    "s-1\n",
    "é",
    "a..b",
]


@pytest.mark.parametrize("text", [*WRONG, None, 7, "x" * 65])
def test_what_could_lead_out_of_a_folder_is_no_id(text):
    with pytest.raises(LedgerError, match="is no id"):
        checked_id("run", text)


@pytest.mark.parametrize("text", [*(t for t in WRONG if t != "a/b"), "a/../b", "http://x y"])
def test_what_could_lead_out_of_an_address_is_no_server_id(text):
    with pytest.raises(LedgerError, match="is no job's id"):
        checked_server_id(text)


@pytest.mark.parametrize("text", ["job-b3fab0c4", "cq0a1b2", "arn:aws:braket:us-east-1:1/2", "7"])
def test_ids_of_machines_are_taken(text):
    assert checked_server_id(text) == text


@pytest.mark.parametrize("column", ["id", "tag", "run", "previous", "session", "server_id"])
def test_a_submission_with_such_an_id_is_not_read(column, buy, store):
    buy(Unreliable(), [0.1])
    with store.transaction() as connection:
        connection.execute(update(schema.submissions).values({column: "../../x"}))
    with pytest.raises(LedgerError, match=r"\.\./\.\./x"):
        store.find()


def test_a_run_with_such_an_id_is_not_read(store):
    new_run(store, {})
    with store.transaction() as connection:
        connection.execute(update(schema.runs).values(id="../x"))
    with pytest.raises(LedgerError, match="no id of a run"):
        list_runs(store)


def test_no_local_job_leaves_its_folder(tmp_path):
    service = LocalJobs(None, "here", tmp_path / "spool")
    (tmp_path / "outside").mkdir()
    for ask in (service.find, service.status, service.fetch, service.cancel):
        with pytest.raises(LedgerError, match="no id of a local job"):
            ask("../outside")


@pytest.fixture
def package():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    pub = EstimatorPub.coerce((circuit, ["Z", {"I": 2.0, "X": 1.0}, {"0": 0.5}], None, 0.1))
    return Package((pub,))


@pytest.fixture
def two_mib(monkeypatch):
    monkeypatch.setenv("QVLM_MOST_MIB", "2")


def bomb(name, content):
    """A small archive of one large file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("filling", b"\0" * 3 * 2**20)
    assert len(buffer.getvalue()) < 2**16
    return buffer.getvalue()


def test_a_package_that_unpacks_to_more_than_is_read_is_refused(two_mib):
    with pytest.raises(TooLargeError, match="a package has 3 MiB"):
        Package.from_bytes(bomb("package.json", b"{}"))


def test_a_local_result_that_unpacks_to_more_than_is_read_is_refused(two_mib, package):
    with pytest.raises(TooLargeError, match="a local result has 3 MiB"):
        decode("local-1", bomb("metadata.json", b"[]"), package)


def test_a_runtime_result_that_unpacks_to_more_than_is_read_is_refused(two_mib, package):
    data = base64.b64encode(zlib.compress(b"\0" * 3 * 2**20)).decode()
    result = {"data": [{"results": {"_meas": {"data": data, "shape": [1], "dtype": "bool"}}}]}
    with pytest.raises(TooLargeError, match="a Runtime result"):
        decode_executor(json.dumps(result).encode(), package)


def test_a_stored_file_that_is_larger_than_is_read_is_refused(two_mib, store):
    name = store.blobs.put(b"\0" * 3 * 2**20)
    with pytest.raises(TooLargeError, match="the stored file"):
        store.blobs.get(name)


def answered(evs, stds=0.01):
    return [PubAnswer(np.array(evs, dtype=float), np.full(3, stds), {})]


@pytest.mark.parametrize(
    "evs",
    [[1.2, 2, 0], [0, 0.8, 0], [0, 3.2, 0], [0, 2, 0.7], [0, 2, -0.3], [np.nan, 2, 0],
     [-np.inf, 2, 0]],
)  # fmt: skip
def test_values_that_no_observable_has_are_refused(evs, package):
    sharp = Package((EstimatorPub.coerce((*_parts(package), 1e-3)),), {})
    with pytest.raises(DamagedResultError, match="outside"):
        checked(answered(evs, 1e-3), sharp)
    with pytest.raises(DamagedResultError, match="outside"):
        decode("local-1", encode_local(answered(evs, 1e-3)), sharp)


def test_values_at_the_edge_and_noisy_or_extrapolated_ones_are_taken(package):
    exact = Package((EstimatorPub.coerce((*_parts(package), None)),), {})
    for evs in ([1, 3, 0.5], [-1, 1, 0]):
        checked(answered(evs, 0.0), exact)
    checked(answered([1.3, 2, 0]), package)  # three standard errors of a mean
    checked(answered([7.0, 2, 0]), Package(package.pubs, {"resilience_level": 2}))


def _parts(package):
    (pub,) = package.pubs
    return pub.circuit, pub.observables, None


def test_negative_standard_errors_are_refused(package):
    with pytest.raises(DamagedResultError, match="negative"):
        checked(answered([0, 2, 0], -0.1), package)


@pytest.mark.parametrize("tags", [["qvlm", "qvlm-b"], ["qvlm"], [], None])
def test_the_result_of_another_job_is_not_read(package, tags):
    passed = {"post_processor": {"options": {"environment": {"job_tags": tags}}}}
    result = json.dumps({"data": [], "passthrough_data": passed}).encode()
    asked = Package(package.pubs, {}, tag="qvlm-a")
    with pytest.raises(DamagedResultError, match="with the tags"):
        decode_executor(result, asked)


@pytest.mark.parametrize(("evs", "stds"), [((3,), (2,)), ((2,), (3,)), ((3, 1), (3, 1)), ((), ())])
def test_a_result_of_another_shape_is_not_taken(evs, stds, package):
    answer = PubAnswer(np.zeros(evs), np.zeros(stds), {})
    with pytest.raises(DamagedResultError, match=r"has the shape \(3,\)"):
        checked([answer], package)
    with pytest.raises(DamagedResultError, match="with 2 pubs for a job with 1"):
        checked([answer, answer], package)
