"""Every fault of a submission → the ledger's error, and how many jobs the server then has."""

import hashlib
import time
import warnings

import pytest
from qiskit_ibm_runtime import QiskitRuntimeService

from qvlm_qiskit import open_backend
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import (
    AmbiguousError,
    DeniedError,
    NotAcceptedError,
    RefusedError,
    UnreachableError,
)
from qvlm_qiskit.errors import InputError
from tests.backends.ibm.runtime_jobs.conftest import (
    DEVICE,
    PATIENT,
    SHORT,
    patience,
    pub_of,
    reached,
)
from tests.runtime_server import RuntimeServer
from tests.runtime_server.messages import Response
from tests.runtime_server.routes import Service

FAULTS = [
    ("drop_before", None, AmbiguousError, 0),
    ("drop_after", None, AmbiguousError, 1),
    ("hang_before", None, AmbiguousError, 0),
    ("hang_after", None, AmbiguousError, 1),
    ("error_before", 500, AmbiguousError, 0),
    ("error_after", 500, AmbiguousError, 1),
    ("error_after", 503, AmbiguousError, 1),
    ("error_after", 504, AmbiguousError, 1),
    ("error_before", 408, AmbiguousError, 0),
    ("truncated", None, AmbiguousError, 1),
    ("cut", None, AmbiguousError, 1),
    ("corrupted", None, AmbiguousError, 1),
    ("rate_limited", 7, DeniedError, 0),
    ("expired_token", None, DeniedError, 0),
    ("invalid", None, DeniedError, 0),
    ("error_before", 403, DeniedError, 0),
    ("error_before", 404, DeniedError, 0),
    ("error_before", 409, DeniedError, 0),
    ("error_before", 413, DeniedError, 0),
    ("error_before", 422, DeniedError, 0),
    ("error_after", 401, DeniedError, 1),
    ("error_after", 429, DeniedError, 1),
    ("error_after", 422, DeniedError, 1),
]
BOTH = {("error_after", 504), ("invalid", None)}


def submit(jobs, package, tag, **options):
    """The error, with nothing of the client's behind it."""
    with pytest.raises(Exception) as caught:
        jobs.submit(package, tag, max_seconds=60, **options)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "\n" not in str(caught.value)
    return caught.value


# Both generations post alike: the short run takes the old one through two of them.
CASES = [("executor", *case) for case in FAULTS] + [
    pytest.param(
        "legacy",
        *case,
        marks=() if case[:2] in BOTH else pytest.mark.slow,
    )
    for case in FAULTS
]


@pytest.mark.parametrize(("generation", "fault", "value", "error", "count"), CASES)
def test_a_fault_has_its_error_and_never_a_second_job(
    server, machine, package, generation, fault, value, error, count, tag
):
    jobs = RuntimeJobs(machine, generation=generation, deadlines=patience(fault))
    server.faults.add(fault, "submit", value=value)
    raised = submit(jobs, package, tag)
    assert type(raised) is error, raised
    assert len(server.jobs.posts_tagged(tag)) == 1
    assert len(server.jobs.tagged(tag)) == count
    assert "POST" in str(raised)
    server.faults.clear()
    jobs.deadlines = PATIENT
    # The job is found by its tag, or the same submission goes through.
    assert len(jobs.find(tag)) == count
    if not count:
        jobs.submit(package, tag, max_seconds=60)
        assert len(server.jobs.tagged(tag)) == 1


def test_the_stock_client_submits_twice(server, pub, monkeypatch, tag):
    """What the transport is for: the same fault without it."""
    from qiskit_ibm_runtime.executor_estimator import Estimator

    server.faults.add("error_after", nth=1, value=504)
    plain = QiskitRuntimeService(**server.account()).backend(DEVICE)
    options = {"resilience_level": 0, "environment": {"job_tags": [tag]}}
    Estimator(mode=plain, options=options).run([pub])
    assert len(server.jobs.tagged(tag)) == 2


@pytest.mark.parametrize("generation", ["executor", "legacy"])
def test_what_is_submitted(server, machine, package, generation, tag):
    settings = {"twirling": {"enable_gates": True, "num_randomizations": 4}}
    jobs = RuntimeJobs(machine, 1, settings, generation=generation, private=True)
    server_id = jobs.submit(package, tag, max_seconds=77)
    record = server.jobs[server_id]
    assert record.tags == ["qvlm", tag]
    assert (record.payload["cost"], record.private, record.session_id) == (77, True, None)
    assert record.program_id == {"executor": "executor", "legacy": "estimator"}[generation]
    assert record.backend == DEVICE
    assert jobs.machine == f"ibm:{DEVICE}"


def test_the_estimator_of_an_open_backend_has_its_mitigation(server):
    backend = open_backend(f"ibm:{DEVICE}", mitigation="resilience-2")
    jobs = backend.service(private=True)
    assert (jobs.machine, jobs.resilience_level, jobs.private) == (backend.name, 2, True)
    assert jobs.charges
    assert jobs.posts_per_minute == 5


def test_the_servers_pause_is_passed_on(server, jobs, package, tag):
    server.faults.add("rate_limited", value=7)
    assert submit(jobs, package, tag).retry_after_seconds == 7


def test_a_token_that_was_withdrawn_is_replaced_once(server, jobs, package, tag):
    server.faults.add("expired_token", "submit", nth=1)
    assert "new token" in str(submit(jobs, package, tag))
    jobs.submit(package, tag, max_seconds=60)
    assert len(server.jobs.tagged(tag)) == 1


@pytest.mark.parametrize("status", [403, 404, 407])
def test_a_page_of_a_proxy_refuses_nothing_for_ever(
    status, server, jobs, package, tag, monkeypatch
):
    page = Response(status, "<html><h1>Access denied</h1></html>")
    with monkeypatch.context() as patch:
        patch.setattr(Service, "_submit", lambda *_: page)
        raised = submit(jobs, package, tag)
    assert type(raised) is AmbiguousError
    assert f"answered {status}, not in the service's words" in str(raised)
    assert jobs.find(tag) == []
    jobs.submit(package, tag, max_seconds=60)


@pytest.mark.parametrize("content", [{"usage_limit_seconds": "many"}, "[]", "null", "<html>"])
def test_an_answer_of_another_form_before_the_post_is_not_the_jobs_fault(
    content, server, jobs, package, tag, monkeypatch
):
    """The client looks at the account's usage first, and at what it takes for granted there."""
    with monkeypatch.context() as patch:
        patch.setattr(Service, "_usage", lambda *_: Response(200, content))
        raised = submit(jobs, package, tag)
    assert type(raised) is NotAcceptedError
    assert "before anything was submitted" in str(raised)
    assert server.jobs.posts_tagged(tag) == []
    jobs.submit(package, tag, max_seconds=60)


@pytest.mark.parametrize("endpoint", ["usage", "status"])
@pytest.mark.parametrize("fault", ["hang_before", "error_before", "drop_before", "truncated"])
def test_what_fails_before_the_post_is_not_accepted(server, jobs, package, endpoint, fault, tag):
    server.faults.add(fault, endpoint)
    jobs.deadlines = patience(fault)
    assert type(submit(jobs, package, tag)) is NotAcceptedError
    assert server.jobs.posts_tagged(tag) == []


def test_a_server_that_is_gone_accepts_nothing(package, tag, monkeypatch):
    with RuntimeServer([DEVICE], instant=True) as server:
        reached(server, monkeypatch)
        jobs = RuntimeJobs(fetch_machine(DEVICE), deadlines=PATIENT)
    raised = submit(jobs, package, tag)
    assert type(raised) is NotAcceptedError
    assert "no connection" in str(raised)


def test_a_refused_key_is_not_the_jobs_fault(server, machine, package, tag, monkeypatch):
    jobs = RuntimeJobs(machine, deadlines=PATIENT)
    server.identity.withdraw()
    monkeypatch.setattr(server.identity, "api_key", "another")
    # The kept token is refused first, and then the key that is to give a new one.
    assert type(submit(jobs, package, tag)) is NotAcceptedError
    assert "identity service answered 400" in str(submit(jobs, package, tag))
    assert server.jobs.posts_tagged(tag) == []


def test_what_the_client_refuses_is_refused(server, jobs, package, tag):
    pub = package.pubs[0]
    mixed = Package((pub, pub_of(jobs._backend, [0.1] * 4, precision=0.25)), package.about)
    raised = submit(jobs, mixed, tag)
    assert type(raised) is RefusedError
    assert "same precision" in str(raised)
    assert server.jobs.posts_tagged(tag) == []


def test_a_post_never_begins_after_its_time(server, machine, package, tag):
    jobs = RuntimeJobs(machine, deadlines=PATIENT, post_seconds=0.001)
    assert type(submit(jobs, package, tag)) is NotAcceptedError
    assert server.jobs.posts_tagged(tag) == []


def test_a_hanging_server_is_left_in_time(server, jobs, package, tag):
    jobs.deadlines, begun = SHORT, time.monotonic()
    server.faults.add("hang_after")
    submit(jobs, package, tag)
    assert time.monotonic() - begun < SHORT.write_seconds + 8
    begun = time.monotonic()
    server.faults.add("hang_before", "usage")
    submit(jobs, package, tag)
    assert time.monotonic() - begun < SHORT.read_seconds + 8


def test_a_job_that_is_accepted_late_is_accepted(server, jobs, package, tag):
    server.faults.add("slow", "submit", value=0.2)
    assert jobs.submit(package, tag, max_seconds=60) == server.jobs.tagged(tag)[0].id


def test_an_unknown_generation_is_refused(machine):
    with pytest.raises(InputError, match="executor, legacy"):
        RuntimeJobs(machine, generation="newest")


# Batches and sessions


@pytest.mark.parametrize("kind", ["batch", "session"])
@pytest.mark.parametrize("generation", ["executor", "legacy"])
def test_jobs_run_in_a_batch_or_session_until_it_is_closed(
    server, machine, package, kind, generation, tag
):
    jobs = RuntimeJobs(machine, generation=generation, deadlines=PATIENT)
    session = jobs.open_session(kind, 600)
    details = server.sessions.get(session)
    assert details["mode"] == {"batch": "batch", "session": "dedicated"}[kind]
    assert (details["max_ttl"], details["backend_name"]) == (600, DEVICE)
    assert jobs.session_accepts(session)
    server_id = jobs.submit(package, tag, max_seconds=60, session=session)
    assert server.jobs[server_id].session_id == session
    jobs.close_session(session)
    assert not jobs.session_accepts(session)
    raised = submit(jobs, package, tag, session=session)
    assert type(raised) is DeniedError and raised.session_closed
    jobs.close_session(session)


def test_a_session_that_closes_meanwhile_is_said_so(server, jobs, package, tag):
    session = jobs.open_session("batch", None)
    server.faults.add("session_closed")
    raised = submit(jobs, package, tag, session=session)
    assert type(raised) is DeniedError and raised.session_closed
    assert server.jobs.tagged(tag) == []


def test_a_plan_without_sessions_refuses_them(monkeypatch):
    with RuntimeServer([DEVICE], instant=True, plan="open") as server:
        reached(server, monkeypatch)
        jobs = RuntimeJobs(fetch_machine(DEVICE), deadlines=PATIENT)
        with pytest.raises(RefusedError, match="open plan"):
            jobs.open_session("session", None)
        assert jobs.session_accepts(jobs.open_session("batch", None))


@pytest.mark.parametrize("fault", ["error_before", "drop_after", "hang_after", "truncated"])
def test_a_session_whose_opening_is_unclear_is_left(server, jobs, fault):
    server.faults.add(fault, "create_session")
    jobs.deadlines = patience(fault)
    with pytest.raises(UnreachableError):
        jobs.open_session("batch", None)


def test_an_unknown_session_takes_no_jobs(jobs):
    assert not jobs.session_accepts("session-nowhere")


def test_the_deprecation_of_the_legacy_class_is_not_repeated(server, machine, package, tag):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RuntimeJobs(machine, generation="legacy").submit(package, tag, max_seconds=60)


def test_the_account_is_known_by_a_digest_of_its_instance(server, machine, monkeypatch):
    crn = server.environment()["QISKIT_IBM_INSTANCE"]
    found = RuntimeJobs(machine).account
    assert found == hashlib.sha256(crn.encode()).hexdigest()[:16]
    assert RuntimeJobs(fetch_machine(DEVICE)).account == found
    monkeypatch.setattr("tests.runtime_server.server.CRN", crn.replace("loopback::", "other::"))
    with RuntimeServer([DEVICE], instant=True) as another:
        reached(another, monkeypatch)
        assert RuntimeJobs(fetch_machine(DEVICE)).account != found
