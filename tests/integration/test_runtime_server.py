"""The unmodified Runtime client against the loopback service."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime import Batch, EstimatorV2, QiskitRuntimeService, Session
from qiskit_ibm_runtime.accounts.exceptions import InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.decoders.defaults import DEFAULT_DECODERS
from qiskit_ibm_runtime.exceptions import (
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
)
from qiskit_ibm_runtime.executor_estimator import Estimator
from requests.adapters import HTTPAdapter

from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.devices.runtime import LocalRuntimeEstimator
from qvlm_qiskit.errors import InputError, UnknownNameError
from tests.runtime_server import FAULTS, RuntimeServer
from tests.runtime_server.__main__ import main
from tests.runtime_server.circuits import certain_bits, register_bits, restrict_measured
from tests.runtime_server.execute import fixed_bits
from tests.runtime_server.faults import corrupt

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server():
    with RuntimeServer(["fake_manila"], instant=True) as running:
        yield running


@pytest.fixture
def backend(server):
    return server.service().backend("fake_manila")


def ansatz():
    angles = ParameterVector("a", 4)
    circuit = QuantumCircuit(3)
    circuit.ry(angles[0], 0)
    circuit.ry(angles[1], 1)
    circuit.rx(angles[2], 2)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.ry(angles[3], 1)
    circuit.sx(2)
    return circuit


OBSERVABLES = [SparsePauliOp(label) for label in ("IIZ", "IXI", "ZZI", "YYX")]
VALUES = np.random.default_rng(4).uniform(-1.5, 1.5, (2, 4))


def pub_for(device):
    isa = transpile(ansatz(), target=device.target, optimization_level=1, seed_transpiler=3)
    return isa, [[o.apply_layout(isa.layout)] for o in OBSERVABLES], VALUES


@pytest.fixture(scope="module")
def pub():
    return pub_for(fake_device("fake_manila"))


def estimator(mode, tag="t", level=0, **options):
    environment = {"job_tags": [tag]}
    return Estimator(
        mode=mode,
        options={
            "resilience_level": level,
            "default_shots": 64,
            "environment": environment,
            **options,
        },
    )


def ask(server, method, path, content=None):
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"{server.url}{path}", body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


# Account and machines


def test_the_client_logs_in_and_finds_the_machines(server):
    service = server.service()
    (machine,) = service.backends()
    assert machine.name == "fake_manila"
    assert machine.num_qubits == 5
    assert machine.status().status_msg == "active"
    assert machine.properties().t1(0) == fake_device("fake_manila").properties().t1(0)
    assert service.least_busy().name == "fake_manila"
    assert service.instances()[0]["plan"] == "premium"
    assert service.usage()["usage_remaining_seconds"] == 600


@pytest.mark.slow
def test_the_environment_alone_leads_a_process_here(server):
    script = (
        "from qiskit_ibm_runtime import QiskitRuntimeService as S; print(S().backends()[0].name)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QISKIT_")}
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**clean, **server.environment()},
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "fake_manila", found.stderr


def test_a_wrong_key_is_refused(server, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidAccountError, match="valid API token"):
        QiskitRuntimeService(**{**server.account(), "token": "another"})


def test_a_request_without_a_token_is_refused(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, "GET", "/api/v1/backends")
    assert caught.value.code == 401
    assert json.loads(caught.value.read())["errors"][0]["solution"]
    caught.value.close()


def test_the_client_renews_a_token_that_runs_out(pub):
    lines = []
    with RuntimeServer(["fake_manila"], instant=True, token_seconds=1, log=lines.append) as server:
        machine = server.service().backend("fake_manila")
        job = estimator(machine).run([pub])
        before = sum("/identity/token" in line for line in lines)
        time.sleep(1.1)
        assert job.status() in ("QUEUED", "RUNNING", "DONE")
        assert sum("/identity/token" in line for line in lines) > before


def test_a_token_that_ran_out_is_refused(server, backend):
    server.advance(3602)
    with pytest.raises(IBMNotAuthorizedError):
        backend.status()


# Jobs


@pytest.mark.parametrize("level", [0, 1, 2])
def test_instant_results_have_the_shapes_of_real_ones(backend, pub, level):
    with Batch(backend) as batch:
        job = estimator(batch, level=level).run([pub, (*pub[:2], VALUES[0])])
        first, second = job.result(poll_interval=0.1)
    assert first.data.evs.shape == (4, 2)
    assert second.data.evs.shape == (4, 1)
    # nearly every bit is 0, in every basis
    assert np.all(np.abs(first.data.evs - 1.0) < 0.5)
    assert np.all(first.data.stds > 0)


def test_what_was_submitted_is_on_record(server, backend, pub):
    with Session(backend) as session:
        job = estimator(session, "mine", max_execution_time=100).run([pub])
        job.result(poll_interval=0.1)
    (record,) = server.jobs.tagged("mine")
    assert record.id == job.job_id()
    assert record.session_id == session.session_id == job.session_id
    assert record.max_seconds == 100
    assert record.payload["params"]["schema_version"] == "v2.0"
    # three bases, two sets of parameters, 64 shots each
    assert record.executions == 3 * 2 * 64
    assert job.metrics()["executions"] == record.executions
    delay = server.api.machines["fake_manila"].rep_delay_seconds
    assert job.usage() == pytest.approx(record.executions * delay)
    assert [post.job_ids for post in server.jobs.posts_tagged("mine")] == [[record.id]]
    assert session.details()["accepting_jobs"] is False
    assert job.logs() == ""


def test_jobs_are_listed_by_tag_and_state_and_page(server, backend, pub):
    service = backend.service
    made = [estimator(backend, f"tag-{i % 2}").run([pub]).job_id() for i in range(5)]
    server.wait()
    assert [job.job_id() for job in service.jobs(limit=None)] == made[::-1]
    assert [job.job_id() for job in service.jobs(job_tags=["tag-1"])] == [made[3], made[1]]
    assert [job.job_id() for job in service.jobs(limit=2, skip=1)] == [made[3], made[2]]
    assert [job.job_id() for job in service.jobs(limit=1, descending=False)] == made[:1]
    assert service.jobs(pending=True) == []
    assert len(service.jobs(pending=False, backend_name="fake_manila")) == 5
    service.job(made[0]).update_tags(["other"])
    assert service.job(made[0]).tags == ["other"]
    service.delete_job(made[0])
    with pytest.raises(RuntimeJobNotFound):
        service.job(made[0])


def test_queue_and_run_take_their_time_and_one_job_runs_at_once(pub):
    with RuntimeServer(["fake_manila"], instant=True, queue_seconds=100, run_seconds=50) as server:
        machine, begun = server.service().backend("fake_manila"), time.monotonic()
        first, second = (estimator(machine).run([pub]) for _ in range(2))
        assert (first.status(), second.status()) == ("QUEUED", "QUEUED")
        assert machine.status().pending_jobs == 2
        server.advance(101)
        until(lambda: first.status() == "RUNNING")
        assert second.status() == "QUEUED"
        server.advance(50)
        until(lambda: (first.status(), second.status()) == ("DONE", "RUNNING"))
        assert 50 <= first.usage() <= 50 + time.monotonic() - begun


def until(condition, timeout=60.0):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_cancelling_a_queued_and_a_finished_job(pub):
    with RuntimeServer(["fake_manila"], instant=True, queue_seconds=100) as server:
        machine = server.service().backend("fake_manila")
        job = estimator(machine).run([pub])
        job.cancel()
        assert job.status() == "CANCELLED"
        with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
            job.result()
        with pytest.raises(RuntimeInvalidStateError, match="409"):
            machine.service.job(job.job_id()).cancel()


def test_a_job_that_runs_longer_than_its_limit(pub):
    with RuntimeServer(["fake_manila"], instant=True, run_seconds=100) as server:
        machine = server.service().backend("fake_manila")
        job = estimator(machine, max_execution_time=30).run([pub])
        server.advance(31)
        with pytest.raises(RuntimeJobMaxTimeoutError, match="1305"):
            job.result(poll_interval=0.1)
        assert job.status() == "ERROR"


def test_a_private_result_is_read_once(server, backend, pub):
    job = estimator(backend, environment={"job_tags": ["t"], "private": True}).run([pub])
    assert job.result(poll_interval=0.1)
    with pytest.raises(RequestsApiError, match="once"):
        job.result()


def test_payloads_that_break_the_protocol_are_refused(server):
    client = server.service()._active_api_client
    for program, machine, params, status in (
        ("executor", "fake_manila", {"schema_version": "v0"}, 400),
        ("estimator", "fake_manila", {}, 400),
        ("executor", "elsewhere", {}, 404),
        ("unheard", "fake_manila", {}, 404),
    ):
        with pytest.raises(RequestsApiError) as caught:
            client.program_run(program, machine, params, None, None, None)
        assert caught.value.status_code == status
    assert len(server.jobs) == 0


def test_a_program_that_can_not_run_fails_its_job(server):
    client = server.service()._active_api_client
    params = {"schema_version": "v2.0"}
    job = client.program_run("executor", "fake_manila", params, None, None, None)
    (record,) = server.wait()
    assert record.id == job["id"]
    assert (record.status, "ValidationError" in record.reason) == ("Failed", True)


def test_jobs_outlive_the_server(tmp_path, pub):
    options = {"backends": ["fake_manila"], "instant": True, "folder": tmp_path}
    with RuntimeServer(**options, queue_seconds=100) as server:
        job = estimator(server.service().backend("fake_manila"), "kept").run([pub])
        address = server.address
    # The client that submitted goes on with its connection lost and its token still good.
    with RuntimeServer(**options, port=address[1]):
        assert job.result(poll_interval=0.1)[0].data.evs.shape == (4, 2)
        assert job.backend().service.job(job.job_id()).tags == ["kept"]


# Sessions


def test_a_closed_session_takes_no_jobs(server, backend, pub):
    session = Session(backend)
    ask(server, "POST", "/_admin/sessions/close", {"id": session.session_id})
    with pytest.raises(IBMRuntimeError, match="1217"):
        estimator(session).run([pub])
    assert session.status() == "Closed"
    session.close()
    with pytest.raises(IBMRuntimeError, match="session is closed"):
        estimator(session).run([pub])


def test_closing_cancels_what_is_queued(pub):
    with RuntimeServer(["fake_manila"], instant=True, queue_seconds=100) as server:
        session = Session(server.service().backend("fake_manila"))
        job = estimator(session).run([pub])
        session.cancel()
        assert job.status() == "CANCELLED"


def test_the_open_plan_has_batches_only(pub):
    with RuntimeServer(["fake_manila"], instant=True, plan="open") as server:
        machine = server.service().backend("fake_manila")
        with pytest.raises(RequestsApiError, match="1352"):
            Session(machine)
        assert estimator(Batch(machine)).run([pub]).result(poll_interval=0.1)


# Faults: what the client shows, how many POSTs it sent, how many jobs that made

ERRORS = {
    "drop_before": (IBMRuntimeError, 1, 0),
    "drop_after": (IBMRuntimeError, 1, 1),
    "rate_limited": (IBMRuntimeError, 1, 0),
    "invalid": (IBMRuntimeError, 1, 0),
    "hang_before=0.3": (IBMRuntimeError, 1, 0),
    "hang_after=0.3": (IBMRuntimeError, 1, 1),
    "expired_token:submit": (IBMNotAuthorizedError, 1, 0),
    "error_before": (None, 2, 1),
    "error_before=503": (None, 2, 1),
    "error_after": (None, 2, 2),
    "error_after=504": (None, 2, 2),
    "error_after=429": (IBMRuntimeError, 1, 1),
    "duplicate": (None, 1, 2),
    "slow:submit=0.2": (None, 1, 1),
}


@pytest.mark.parametrize(("fault", "error", "posts", "jobs"), [(k, *v) for k, v in ERRORS.items()])
def test_faults_of_submission(server, backend, pub, fault, error, posts, jobs):
    name, _, value = fault.partition("=")
    server.faults.parse(f"{name}@1={value}" if value else f"{name}@1")
    if error is None:
        estimator(backend, "hit").run([pub])
    else:
        with pytest.raises(error):
            estimator(backend, "hit").run([pub])
    assert len(server.jobs.posts_tagged("hit")) == posts
    assert len(server.jobs.tagged("hit")) == jobs


def test_without_retries_an_ambiguous_answer_is_one_job(server, backend, pub):
    """The retries sit in the session's adapter; no public option reaches them."""
    backend._api_client._session.mount(server.url, HTTPAdapter(max_retries=0))
    server.faults.add("error_after", nth=1, value=504)
    with pytest.raises(IBMRuntimeError) as caught:
        estimator(backend, "hit").run([pub])
    assert caught.value.__context__.status_code == 504
    assert len(server.jobs.posts_tagged("hit")) == len(server.jobs.tagged("hit")) == 1


def test_a_session_closed_under_the_submitter(server, backend, pub):
    server.faults.add("session_closed", nth=1)
    with pytest.raises(IBMRuntimeError, match="1217"):
        estimator(Batch(backend), "hit").run([pub])
    assert server.jobs.tagged("hit") == []


def test_a_withdrawn_token_stays_in_the_client(server, backend, pub):
    """It looks at the token's time only; a new service gets a new token.

    The second attempt fails earlier: a failing GET /backends reads as an unknown machine.
    """
    server.faults.add("expired_token", "submit", nth=1)
    for error in (IBMNotAuthorizedError, QiskitBackendNotFoundError):
        with pytest.raises(error):
            estimator(backend).run([pub])
    assert estimator(server.service().backend("fake_manila")).run([pub])


def test_a_job_is_listed_late(server, backend, pub):
    server.faults.add("listing_lag", value=30)
    job = estimator(backend, "late").run([pub])
    assert backend.service.jobs(job_tags=["late"]) == []
    assert backend.service.job(job.job_id()).tags == ["late"]
    server.advance(31)
    assert len(backend.service.jobs(job_tags=["late"])) == 1


def test_fates_of_jobs(server, backend, pub):
    server.faults.add("job_failed", nth=1, value="The QPU was warm")
    server.faults.add("job_max_time", nth=2)
    failed, long = (estimator(backend).run([pub]) for _ in range(2))
    with pytest.raises(RuntimeJobFailureError, match="The QPU was warm"):
        failed.result(poll_interval=0.1)
    with pytest.raises(RuntimeJobMaxTimeoutError):
        long.result(poll_interval=0.1)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("truncated", TypeError),
        ("corrupted", Exception),
        ("drop_before:results", None),
        ("cut", RequestsApiError),
    ],
)
def test_faults_of_results(server, backend, pub, fault, error):
    """The client retries a GET that got no answer at all, and trusts an answer that looks whole."""
    job = estimator(backend).run([pub])
    server.wait()
    server.faults.parse(f"{fault}@1")
    if error is not None:
        with pytest.raises(error):
            job.result()
    assert job.result()[0].data.evs.shape == (4, 2)


def test_a_read_has_no_timeout(server, backend, pub):
    """The client's `timeout` is looked at between two requests only."""
    job = estimator(backend).run([pub])
    server.wait()
    server.faults.add("hang_before", "job", nth=1, value=0.6)
    started = time.monotonic()
    job.result(timeout=0.1)
    assert time.monotonic() - started > 0.6


def test_half_of_a_legacy_result_is_returned_as_text(server, backend, pub):
    """Without an error: whoever stores results looks at what they are."""
    with pytest.warns(DeprecationWarning, match="EstimatorV2"):
        job = EstimatorV2(backend).run([pub])
    server.wait()
    server.faults.add("truncated", nth=1)
    assert isinstance(job.result(), str)


def test_five_submissions_a_minute(pub):
    with RuntimeServer(["fake_manila"], instant=True, rate_limit=5) as server:
        machine = server.service().backend("fake_manila")
        for _ in range(5):
            estimator(machine).run([pub])
        with pytest.raises(IBMRuntimeError, match="429"):
            estimator(machine).run([pub])
        server.advance(61)
        estimator(machine).run([pub])
        assert (len(server.jobs), len(server.jobs.posts)) == (6, 7)


def test_faults_are_chosen_by_number_chance_tag_and_endpoint():
    def pattern(seed):
        faults = RuntimeServer(["fake_manila"], seed=seed).faults
        faults.add("slow", "submit", probability=0.4)
        return [bool(faults.meeting("submit", [])) for _ in range(50)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 8 < sum(pattern(1)) < 32
    faults = RuntimeServer(["fake_manila"]).faults
    faults.add("drop_after", nth=2, tag="a")
    faults.add("slow", times=1)
    met = [sorted(faults.meeting("submit", [tag])) for tag in "abaab"]
    assert met == [["slow"], [], ["drop_after"], [], []]
    assert faults.meeting("job", []) == {}
    faults.clear()
    assert faults.describe() == []


@pytest.mark.parametrize("text", ["drop after", "drop_after@x", "drop_after@0", "slow~1.5"])
def test_faults_that_make_no_sense(text):
    with pytest.raises(InputError):
        RuntimeServer(["fake_manila"]).faults.parse(text)


def test_unknown_names():
    faults = RuntimeServer(["fake_manila"]).faults
    with pytest.raises(UnknownNameError, match="did you mean 'drop_after'"):
        faults.add("drop_aftr")
    with pytest.raises(UnknownNameError, match="did you mean 'submit'"):
        faults.add("drop_after", "submitt")
    with pytest.raises(UnknownNameError, match="fake_torino"):
        RuntimeServer(["fake_torin"])
    assert all(usual in ("*", *faults.endpoints) for usual, _, _ in FAULTS.values())


def test_corruption_leaves_the_json_whole():
    body = json.dumps({"a": "x" * 30, "b": [1, "yy"]}).encode()
    spoiled = json.loads(corrupt(body))
    assert spoiled["b"] == [1, "yy"]
    assert spoiled["a"] != "x" * 30
    assert corrupt(b"[12]") != b"[12]"


def test_another_process_drives_the_server(server, backend, pub):
    added = ask(server, "POST", "/_admin/faults", {"name": "drop_after", "nth": 1, "tag": "far"})
    assert added["endpoint"] == "submit"
    with pytest.raises(IBMRuntimeError):
        estimator(backend, "far").run([pub])
    (fault,) = ask(server, "GET", "/_admin/faults")["faults"]
    assert (fault["seen"], fault["met"]) == (1, 1)
    ask(server, "DELETE", "/_admin/faults")
    estimator(backend, "near").run([pub])
    ask(server, "POST", "/_admin/advance", {"seconds": 1})
    assert [job["tags"] for job in ask(server, "GET", "/_admin/jobs")["jobs"]] == [
        ["far"],
        ["near"],
    ]
    (post,) = ask(server, "GET", "/_admin/posts?tag=far")["posts"]
    assert (post["faults"], len(post["job_ids"])) == (["drop_after"], 1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, "POST", "/_admin/faults", {"name": "nothing"})
    assert "unknown fault" in caught.value.read().decode()
    caught.value.close()


@pytest.mark.slow
def test_many_submit_at_once(server, backend, pub):
    """Twenty connections at the same time; every job is there, once."""
    program = estimator(backend, "crowd")
    program.run([pub])
    (record,) = server.jobs.tagged("crowd")
    params = record.payload["params"]

    def submit():
        client = server.service()._active_api_client
        client.program_run("executor", "fake_manila", params, None, None, None, ["crowd"])

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.jobs.tagged("crowd")) == len(server.wait()) == 21


# By hand


@pytest.mark.slow
def test_the_module_serves_until_it_is_stopped(pub):
    command = [sys.executable, "-m", "tests.runtime_server", "--port", "0", "--instant"]
    options = ["--backend", "fake_manila", "--fault", "error_after@1=504"]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        told = [process.stdout.readline() for _ in range(11)]
        exports = [line.removeprefix("export ").strip() for line in told if "export" in line]
        found = {name: value.strip("'") for name, _, value in (e.partition("=") for e in exports)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in found.items():
                patch.setenv(name, value)
            machine = QiskitRuntimeService().backend("fake_manila")
            estimator(machine, "by-hand").run([pub])
        process.terminate()
        log = process.stdout.read()
    assert process.returncode == 0
    assert (log.count("/jobs 504"), log.count("/jobs 200"), log.count("by-hand")) == (1, 1, 2)


def test_the_module_refuses_unknown_names(capsys):
    assert main(["--backend", "fake_nowhere"]) == 2
    assert main(["--fault", "drop_aftr"]) == 2
    message = capsys.readouterr().err
    assert message.count("error: unknown") == 2
    assert "did you mean 'drop_after'" in message


# Values


def exact():
    answer = StatevectorEstimator().run([(ansatz(), [[o] for o in OBSERVABLES], VALUES)])
    return answer.result()[0].data.evs


def local_twin(device, pub, level):
    """The same client in its local mode on the same device: other seeds, 4096 shots."""
    estimator = LocalRuntimeEstimator(device, level, seed=2)
    return estimator.run([pub], precision=1 / 64).result()[0].data.evs


# Five standard deviations of the difference of two values of 4096 shots each.
SAMPLING = 5 * 2**0.5 / 64


@pytest.mark.parametrize("level", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_values_are_those_of_the_noisy_device(pub, level):
    with RuntimeServer(["fake_manila"], seed=1) as server:
        machine = server.service().backend("fake_manila")
        job = estimator(machine, level=level, default_shots=4096).run([pub])
        evs = job.result(poll_interval=0.1)[0].data.evs
    assert np.abs(evs - local_twin(fake_device("fake_manila"), pub, level)).max() < SAMPLING
    assert np.abs(evs - exact()).max() < (0.4, 0.2)[level]


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2])
def test_values_on_133_qubits(level):
    with RuntimeServer(["fake_torino"], seed=1) as server:
        machine = server.service().backend("fake_torino")
        pub = pub_for(machine)
        with Batch(machine) as batch:
            job = estimator(batch, level=level, default_shots=4096).run([pub])
            evs = job.result(poll_interval=0.1)[0].data.evs
    # The extrapolation widens the interval.
    wide = SAMPLING * (1, 1, 3)[level]
    assert np.abs(evs - local_twin(fake_device("fake_torino"), pub, level)).max() < wide
    assert np.abs(evs - exact()).max() < (0.5, 0.2, 0.3)[level]


def test_an_observed_qubit_without_a_coupling_has_readout_errors():
    """Whether it is in |0⟩ or in |1⟩; the others stay certain."""
    circuit = QuantumCircuit(5)
    circuit.x(1)
    with RuntimeServer(["fake_manila"]) as server:
        machine = server.service().backend("fake_manila")
        job = estimator(machine, default_shots=4096).run([(circuit, [["IIIZI"], ["ZIIII"]])])
        evs = job.result(poll_interval=0.1)[0].data.evs
    assert -0.999 < evs[0] < -0.8
    assert 0.8 < evs[1] < 0.999


def test_raw_results_decode_without_the_service(server, backend, pub):
    """What is stored as text is enough, for both generations."""
    with pytest.warns(DeprecationWarning, match="EstimatorV2"):
        old = EstimatorV2(backend)
    jobs = {"executor": estimator(backend, level=1).run([pub]), "estimator": old.run([pub])}
    server.wait()
    for program, job in jobs.items():
        result = backend.service._active_api_client.job_results(job.job_id())
        for decoder in DEFAULT_DECODERS[program]:
            result = decoder.decode(result) if decoder.is_applicable(result) else result
        np.testing.assert_array_equal(result[0].data.evs, job.result()[0].data.evs)


@pytest.mark.parametrize("instant", [True, False])
def test_the_legacy_estimator(pub, instant):
    with RuntimeServer(["fake_manila"], instant=instant) as server:
        machine = server.service().backend("fake_manila")
        with pytest.warns(DeprecationWarning, match="EstimatorV2"):
            old = EstimatorV2(machine, options={"default_shots": 4096, "resilience_level": 0})
        job = old.run([pub])
        evs = job.result(poll_interval=0.1)[0].data.evs
        assert "not applied" in job.logs()
    if instant:
        np.testing.assert_array_equal(evs, np.ones((4, 2)))
    else:
        assert np.abs(evs - local_twin(fake_device("fake_manila"), pub, 0)).max() < SAMPLING


# The cut to active qubits, against state vectors of the whole


@pytest.mark.parametrize("seed", range(6))
def test_certain_bits_are_those_of_the_whole_state(seed):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(6, 6)
    angles = ParameterVector("p", 18)
    circuit.ry(0.3, 0)
    circuit.cx(0, 1)
    for qubit in range(6):
        for step in range(3):
            circuit.rz(angles[3 * qubit + step], qubit)
            if step < 2:
                circuit.sx(qubit)
    circuit.measure(range(6), range(6)[::-1])
    # Multiples of π leave some qubits certain, others come to lie on the equator.
    values = np.pi * rng.choice([0.0, 1.0, 0.5], (5, 18), p=(0.5, 0.45, 0.05))
    found = certain_bits(circuit, values)
    assert not {0, 1} & set(found)
    whole = circuit.remove_final_measurements(inplace=False)
    for qubit in range(2, 6):
        ones = [
            Statevector(whole.assign_parameters(row)).probabilities([qubit])[1] for row in values
        ]
        certain = all(min(p, 1 - p) < 1e-9 for p in ones)
        assert (qubit in found) == certain
        if certain:
            np.testing.assert_array_equal(found[qubit], np.round(ones).astype(bool))


def test_fixed_bits_leave_no_pair_certain():
    bits = fixed_bits(64, 133)
    assert bits.mean() < 0.1
    for i, j in [(0, 0), (0, 1), (4, 130), (131, 132)]:
        parity = bits[:, i] if i == j else bits[:, i] ^ bits[:, j]
        assert 0 < parity.mean() < 0.2
    assert not fixed_bits(1, 5).any()


def test_restricted_circuits_keep_their_registers():
    circuit = QuantumCircuit(4)
    circuit.h(1)
    circuit.cx(1, 3)
    circuit.measure_all()
    reduced = restrict_measured(circuit, (1, 3))
    assert (reduced.num_qubits, reduced.num_clbits) == (2, 4)
    assert register_bits(circuit, {0, 2}) == [(0, "meas", 0), (2, "meas", 2)]
    assert register_bits(reduced, {0, 1}) == [(0, "meas", 1), (1, "meas", 3)]
