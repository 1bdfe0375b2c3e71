"""What `RuntimeJobs` asks the service: complete answers in time, or the ledger's error."""

import json
import time

import pytest

from qvlm_qiskit.backends.ibm import runtime_jobs
from qvlm_qiskit.backends.ibm.runtime_jobs import (
    RuntimeJobs,
    read_allowance,
    read_job,
    usage_seconds,
)
from qvlm_qiskit.backends.service import Allowance, NoSuchJobError, UnreachableError
from qvlm_qiskit.basics.sizes import TooLargeError
from qvlm_qiskit.errors import LedgerError
from tests.backends.ibm.runtime_jobs.conftest import DEVICE, PATIENT, SHORT, patience

QUESTIONS = {
    "list_jobs": lambda jobs, server_id: jobs.find("no-tag"),
    "job": lambda jobs, server_id: jobs.status(server_id),
    "results": lambda jobs, server_id: jobs.fetch(server_id),
    "cancel": lambda jobs, server_id: jobs.cancel(server_id),
    "usage": lambda jobs, server_id: jobs.allowance(),
    "session": lambda jobs, server_id: jobs.session_accepts("session-1"),
    "update_session": lambda jobs, server_id: jobs.close_session("session-1"),
}
FAULTS = ["hang_before", "drop_before", "error_before", "cut"]
CASES = [
    (endpoint, fault)
    for endpoint in QUESTIONS
    for fault in FAULTS
    if fault != "cut" or endpoint not in ("cancel", "update_session")  # whose answers are empty
]


@pytest.mark.parametrize(("endpoint", "fault"), CASES)
def test_a_question_without_an_answer_ends_in_time(server, jobs, done, endpoint, fault):
    server.faults.add(fault, endpoint)
    jobs.deadlines = patience(fault)
    begun = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        QUESTIONS[endpoint](jobs, done)
    assert type(caught.value) is UnreachableError
    assert time.monotonic() - begun < SHORT.read_seconds + 8
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("endpoint", ["list_jobs", "job", "usage"])
def test_an_answer_that_is_no_json_is_no_answer(server, jobs, done, endpoint):
    server.faults.add("truncated", endpoint)
    with pytest.raises(UnreachableError, match="can't be understood"):
        QUESTIONS[endpoint](jobs, done)


@pytest.mark.parametrize("endpoint", ["list_jobs", "job", "results", "usage"])
@pytest.mark.parametrize("fault", ["drop_before", "error_before", "rate_limited", "expired_token"])
def test_a_question_is_repeated(server, machine, done, endpoint, fault, monkeypatch):
    jobs = RuntimeJobs(machine)
    monkeypatch.setattr(jobs._client._session.adapters["http://"], "_sleep", lambda seconds: None)
    server.faults.add(fault, endpoint, nth=1)
    QUESTIONS[endpoint](jobs, done)


@pytest.mark.parametrize("endpoint", ["job", "results", "cancel"])
def test_a_job_that_the_server_does_not_know(jobs, endpoint):
    with pytest.raises(NoSuchJobError, match="404"):
        QUESTIONS[endpoint](jobs, "job-nowhere")


def test_a_result_comes_as_it_was_sent(server, jobs, done):
    raw = jobs.fetch(done)
    assert raw == server.jobs[done].result.encode()
    assert json.loads(raw)["schema_version"]


def test_a_result_that_is_cut_off_is_fetched_again(server, machine, done, monkeypatch):
    jobs = RuntimeJobs(machine)
    monkeypatch.setattr(jobs._client._session.adapters["http://"], "_sleep", lambda seconds: None)
    server.faults.add("cut", "results", nth=1)
    assert jobs.fetch(done) == server.jobs[done].result.encode()


def test_a_finished_job_says_what_it_used(server, jobs, done):
    job = jobs.status(done)
    assert (job.server_id, job.status) == (done, "completed")
    assert job.usage_seconds > 0
    # A result does not wait for its bill.
    server.faults.add("error_before", "metrics")
    assert jobs.status(done) == runtime_jobs.replace(job, usage_seconds=None)


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("job_failed", "failed", None), ("job_max_time", "failed", 1305)]
)
def test_a_job_that_failed_says_why(server, jobs, package, tag, fault, status, code):
    server.faults.add(fault, tag=tag)
    server_id = jobs.submit(package, tag, max_seconds=60)
    server.advance(61)
    server.wait()
    job = jobs.status(server_id)
    assert (job.status, job.reason_code) == (status, code)
    assert job.reason
    assert jobs.find(tag)[0].reason == job.reason


def test_a_cancelled_job_is_cancelled_once(server, jobs, package, tag):
    server.jobs.queue_seconds, before = 3600, server.jobs.queue_seconds
    server_id = jobs.submit(package, tag, max_seconds=60)
    assert jobs.status(server_id).status == "queued"
    assert jobs.status(server_id).usage_seconds is None
    jobs.cancel(server_id)
    server.jobs.queue_seconds = before
    jobs.cancel(server_id)
    job = jobs.status(server_id)
    assert (job.status, job.reason_code) == ("cancelled", None)


def test_all_jobs_of_a_tag_are_found_page_by_page(server, jobs, package, tag, monkeypatch):
    monkeypatch.setattr(runtime_jobs, "_PAGE", 2)
    server.faults.add("duplicate", tag=tag)
    for _ in range(2):
        jobs.submit(package, tag, max_seconds=60)
    jobs.submit(package, f"{tag}-other", max_seconds=60)
    jobs.submit(package, tag, max_seconds=60)
    found = [job.server_id for job in jobs.find(tag)]
    records = sorted(server.jobs.tagged(tag), key=lambda record: record.created)
    assert len(found) == 6
    assert found == [record.id for record in records]
    assert jobs.find("never-used") == []


def test_a_job_that_is_not_listed_yet_is_not_found(server, jobs, package, tag):
    server.faults.add("listing_lag", value=5)
    server_id = jobs.submit(package, tag, max_seconds=60)
    assert jobs.find(tag) == []
    server.advance(6)
    assert [job.server_id for job in jobs.find(tag)] == [server_id]


class Client:
    def __init__(self, rows):
        self.rows = rows

    def jobs_get(self, **_):
        return {"jobs": self.rows, "count": len(self.rows)}


def test_an_empty_list_proves_that_there_is_no_job(jobs, monkeypatch):
    monkeypatch.setattr(jobs, "_client", Client([]))
    assert jobs.find("mine") == []


def test_a_service_that_does_not_filter_gives_no_foreign_job(jobs, monkeypatch):
    monkeypatch.setattr(jobs, "_client", Client([FOREIGN, ROW]))
    assert [job.server_id for job in jobs.find("mine")] == ["a"]


ROW = {"id": "a", "state": {"status": "Queued"}, "tags": ["qvlm", "mine"]}
FOREIGN = {**ROW, "id": "b", "tags": ["qvlm", "foreign"]}


@pytest.mark.parametrize(
    "pages",
    [
        [([], 1), ([], 1)],
        [([FOREIGN], 1)],  # whole, and of other jobs than those asked for
        [([FOREIGN, {**FOREIGN, "id": "c"}], 2)],
        [([{k: v for k, v in ROW.items() if k != "tags"}], 1)],
        [([FOREIGN], 2), ([], 2)],
        [([FOREIGN], 2), ([FOREIGN], 2)],  # the same page again
        [([FOREIGN], 0)],
        [([FOREIGN], 2), ([{**FOREIGN, "id": "c"}], 3)],
        [([], "0")],
        [([], None)],
        [([], True)],
        [([FOREIGN], 10**9)] * 200,
        [([{**FOREIGN, "tags": "mine"}], 1)],
    ],
)
def test_a_list_that_contradicts_itself_proves_nothing(jobs, monkeypatch, pages):
    left = iter(pages)

    def page(**_):
        rows, count = next(left)
        return {"jobs": rows, "count": count}

    client = Client([])
    monkeypatch.setattr(client, "jobs_get", page)
    monkeypatch.setattr(jobs, "_client", client)
    with pytest.raises(UnreachableError):
        jobs.find("mine")


def test_a_job_with_the_tag_is_proof_whatever_the_list_counts(jobs, monkeypatch):
    pages = iter([([FOREIGN, ROW], 7), ([], 7)])
    client = Client([])
    monkeypatch.setattr(
        client, "jobs_get", lambda **_: dict(zip(("jobs", "count"), next(pages), strict=True))
    )
    monkeypatch.setattr(jobs, "_client", client)
    assert [job.server_id for job in jobs.find("mine")] == ["a"]


@pytest.mark.parametrize("server_id", ["../jobs", "a/b", "a?b=c", "", "a b", "a#b", "é", "a\n"])
def test_what_is_no_id_becomes_no_part_of_an_address(server, jobs, server_id):
    for endpoint in ("job", "results", "cancel"):
        with pytest.raises(LedgerError, match="no id of a job"):
            QUESTIONS[endpoint](jobs, server_id)


def test_another_jobs_body_is_no_answer(server, jobs, package, tag, done):
    """Its own id and its tags stand in it."""
    server.faults.add("another_job", "job")
    jobs.submit(package, f"{tag}-other", max_seconds=60)
    with pytest.raises(UnreachableError, match="can't be understood"):
        jobs.status(done)
    server.faults.clear()
    assert jobs.status(done).tags == ("qvlm", "completed")


def test_an_answer_that_unpacks_to_more_than_is_read_is_refused(server, jobs, done, monkeypatch):
    server.faults.add("bomb", "results", value=3)
    monkeypatch.setenv("QVLM_MOST_MIB", "2")
    with pytest.raises(TooLargeError, match="QVLM_MOST_MIB"):
        jobs.fetch(done)
    monkeypatch.setenv("QVLM_MOST_MIB", "4")
    assert len(jobs.fetch(done)) == 3 * 2**20


def test_nothing_touches_the_clients_choice_of_an_instance(server, jobs, done):
    service = jobs._backend.service
    active = service._active_api_client
    for ask in QUESTIONS.values():
        try:
            ask(jobs, done)
        except NoSuchJobError:
            continue
    assert service._active_api_client is active


def test_the_allowance(server, jobs):
    left = jobs.allowance()
    assert 0 < left.remaining_seconds <= 600
    assert not left.limit_reached


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, Allowance(None, False)),
        ({"usage_limit_seconds": 600, "usage_consumed_seconds": 100}, Allowance(500.0, False)),
        ({"usage_allocation_seconds": 60, "usage_consumed_seconds": 90}, Allowance(0.0, False)),
        ({"usage_limit_seconds": None, "usage_limit_reached": True}, Allowance(None, True)),
    ],
)
def test_the_allowance_from_the_services_words(usage, expected):
    assert read_allowance(usage) == expected


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ({"status": "Queued"}, "queued", None),
        ({"status": "Running"}, "running", None),
        ({"status": "Completed"}, "completed", None),
        ({"status": "Failed", "reason": "no", "reason_code": 9999}, "failed", 9999),
        ({"status": "Cancelled", "reason": "by user"}, "cancelled", None),
        ({"status": "Cancelled", "reason_code": 1305}, "failed", 1305),
        ({"status": "Cancelled", "reasonCode": 1305}, "failed", 1305),
        ({"status": "Cancelled - Ran too long"}, "failed", 1305),
    ],
)
def test_the_states_of_a_job(state, status, code):
    job = read_job({"id": "a", "state": state})
    assert (job.status, job.reason_code, job.reason) == (status, code, state.get("reason"))


def test_a_state_that_nobody_knows_is_not_guessed():
    with pytest.raises(KeyError):
        read_job({"id": "a", "state": {"status": "Teleported"}})


def test_a_charge_is_known_when_it_is_final():
    assert usage_seconds({}) is None
    assert usage_seconds({"usage": {"status": "pending", "qpu_charge_time_seconds": 3}}) is None
    assert usage_seconds({"usage": {"status": "final", "qpu_charge_time_seconds": 3}}) == 3.0


def test_an_object_made_on_somebody_elses_service_is_as_careful(server, package, tag):
    machine = server.service().backend(DEVICE)
    jobs = RuntimeJobs(machine, deadlines=PATIENT)
    RuntimeJobs(machine)  # once more changes nothing
    server.faults.add("error_after", "submit", value=504)
    with pytest.raises(Exception, match="504"):
        jobs.submit(package, tag, max_seconds=60)
    assert len(server.jobs.tagged(tag)) == 1
    later = machine.service._create_new_cloud_api_client(machine._instance)
    assert type(later._session.adapters["https://"]).__name__ == "Transport"
    assert type(later._session.auth).__name__ == "SignIn"
