"""Stored bytes → values, offline, as the client itself reads them; damage is one kind of error."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from qiskit_ibm_runtime.results.quantum_program import QuantumProgramResult

from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.devices.runtime import LocalRuntimeEstimator
from qvlm_qiskit.backends.ibm.decode import decode_executor, decode_legacy
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.pubs.answer import DamagedResultError
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.jobs.services.decode import decode
from tests.backends.ibm.runtime_jobs.conftest import DEVICE, PATIENT, pub_of, reached
from tests.runtime_server import RuntimeServer

SETTINGS = {"dynamical_decoupling": {"enable": True, "sequence_type": "XX"}}


@pytest.mark.parametrize("generation", ["executor", "legacy"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_offline_values_are_the_clients(server, machine, package, tag, generation, level):
    jobs = RuntimeJobs(machine, level, generation=generation, deadlines=PATIENT)
    server_id = jobs.submit(package, tag, max_seconds=60)
    server.wait()
    asked = Package.from_bytes(Package(package.pubs, {"resilience_level": level}).to_bytes())
    answers = decode(jobs.decoder, jobs.fetch(server_id), asked)
    theirs = machine.service.job(server_id).result()
    assert len(answers) == len(theirs) == 2
    for answer, their, pub in zip(answers, theirs, package.pubs, strict=True):
        assert answer.evs.dtype == answer.stds.dtype == np.float64
        assert answer.evs.shape == pub.shape
        np.testing.assert_array_equal(answer.evs, their.data.evs)
        np.testing.assert_array_equal(answer.stds, their.data.stds)
        assert answer.metadata["technique"] == f"resilience-{level}"
        assert (answer.metadata["shots"], answer.metadata["target_precision"]) == (64, 0.125)
        json.dumps(dict(answer.metadata), allow_nan=False)


def test_the_technique_names_what_the_client_did(server, machine, package, tag):
    jobs = RuntimeJobs(machine, 1, SETTINGS, deadlines=PATIENT)
    server_id = jobs.submit(package, tag, max_seconds=60)
    server.wait()
    asked = Package(package.pubs, {"resilience_level": 1, **SETTINGS})
    (first, _) = decode(jobs.decoder, jobs.fetch(server_id), asked)
    assert first.metadata["technique"] == "resilience-1+dd"


@pytest.fixture
def raws(server, machine, package, tag):
    """One result of each kind."""
    found = {}
    for generation, decoder in {"executor": decode_executor, "legacy": decode_legacy}.items():
        jobs = RuntimeJobs(machine, 0, generation=generation, deadlines=PATIENT)
        server_id = jobs.submit(package, f"{tag}-{generation}", max_seconds=60)
        server.wait()
        found[decoder] = jobs.fetch(server_id)
    return found


@pytest.mark.slow
def test_nothing_is_asked_of_a_service(raws, package, tmp_path):
    """A process without account, network or environment reads the same values."""
    (tmp_path / "package").write_bytes(package.to_bytes())
    for decoder, raw in raws.items():
        (tmp_path / decoder.__name__).write_bytes(raw)
    script = (
        "import pathlib, socket\n"
        "socket.socket.connect = None\n"
        "from qvlm_qiskit.backends.ibm import decode\n"
        "from qvlm_qiskit.backends.pubs.package import Package\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "package = Package.from_bytes((folder / 'package').read_bytes())\n"
        "for name in ('decode_executor', 'decode_legacy'):\n"
        "    raw = (folder / name).read_bytes()\n"
        "    answers = getattr(decode, name)(raw, package)\n"
        "    print([answer.evs.tolist() for answer in answers])\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = [[a.evs.tolist() for a in decoder(raw, package)] for decoder, raw in raws.items()]
    assert found.stdout.splitlines() == list(map(str, expected)), found.stderr


def test_a_truncated_result_is_damaged_wherever_it_ends(raws, package):
    for decoder, raw in raws.items():
        for length in [0, 1, *range(2, len(raw), max(1, len(raw) // 40)), len(raw) - 1]:
            with pytest.raises(DamagedResultError):
                decoder(raw[:length], package)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'"Internal error"',
        b"Traceback (most recent call last):",
        b'{"schema_version": "v9.9"}',
        b'{"__type__": "PrimitiveResult", "__value__": {}}',
        b'{"__type__": "ndarray", "__value__": "!!"}',
        b"[" * 5000,
    ],
)
def test_what_is_no_result_is_damaged(raw, package):
    for decoder in (decode_executor, decode_legacy):
        with pytest.raises(DamagedResultError, match=f"{len(raw):,} bytes"):
            decoder(raw, package)


def test_random_damage_is_found_or_changes_nothing_but_values(raws, package):
    """Whatever four bytes are overwritten: values of the right shape, or the one error."""
    draw = random.Random(5)
    damaged = 0
    for decoder, raw in raws.items():
        for _ in range(150):
            where = draw.randrange(len(raw) - 4)
            changed = raw[:where] + draw.randbytes(4) + raw[where + 4 :]
            try:
                answers = decoder(changed, package)
            except DamagedResultError:
                damaged += 1
            else:
                assert [answer.evs.shape for answer in answers] == [(2, 2), (2, 1)]
                assert all(np.isfinite(answer.evs).all() for answer in answers)
    assert damaged > 100


def test_the_answer_to_another_question_is_damaged(raws, package, pub):
    others = [
        Package(package.pubs[:1], package.about),
        Package((*package.pubs, pub), package.about),
        Package(package.pubs[::-1], package.about),
    ]
    for decoder, raw in raws.items():
        for other in others:
            with pytest.raises(DamagedResultError):
                decoder(raw, other)


@pytest.mark.parametrize(("key", "value"), [("evs", np.nan), ("evs", np.inf), ("stds", -1.0)])
def test_values_that_mean_nothing_are_damaged(raws, package, key, value, monkeypatch):
    from qiskit.primitives.containers import DataBin, PrimitiveResult, PubResult

    def spoilt(shape):
        arrays = {"evs": np.zeros(shape), "stds": np.zeros(shape)}
        arrays[key].flat[0] = value
        return PubResult(DataBin(**arrays, shape=shape))

    result = PrimitiveResult([spoilt(pub.shape) for pub in package.pubs])
    assert not isinstance(result, QuantumProgramResult)
    monkeypatch.setattr(
        "qiskit_ibm_runtime.decoders.result_decoder.json.loads", lambda *_, **__: result
    )
    with pytest.raises(DamagedResultError):
        decode_legacy(b"{}", package)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2])
def test_parity_of_both_generations_and_the_local_client(level, monkeypatch):
    """The same pub on the service and locally: one distribution.

    The loopback service's legacy program does not mitigate, so it has a part at level 0 only.
    """
    values = np.random.default_rng(7).uniform(-1.2, 1.2, (2, 4))
    pub = pub_of(fake_device(DEVICE), values, precision=1 / 64)
    package = Package((pub,), {"resilience_level": level})
    local = LocalRuntimeEstimator(fake_device(DEVICE), level, seed=5).run([pub]).result()[0].data
    # Level 2 extrapolates: what is stated as its error is that of the fit.
    floor = [0.0, 0.0, 0.1][level]
    with RuntimeServer([DEVICE], seed=3) as server:
        reached(server, monkeypatch)
        machine = fetch_machine(DEVICE)
        for generation in ("executor", "legacy") if level == 0 else ("executor",):
            jobs = RuntimeJobs(machine, level, generation=generation)
            server_id = jobs.submit(package, generation, max_seconds=600)
            server.wait(300)
            (answer,) = decode(jobs.decoder, jobs.fetch(server_id), package)
            error = np.hypot(answer.stds, local.stds)
            assert np.all(np.abs(answer.evs - local.evs) < 4 * error + floor), generation
            assert np.all(error < 0.1 + floor)
