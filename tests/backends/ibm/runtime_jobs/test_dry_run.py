"""The service's own figure of what a job would be charged: asked of the machine's mock."""

import pytest

from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.service import RefusedError, UnreachableError
from tests.backends.ibm.runtime_jobs.conftest import DEVICE, PATIENT, reached
from tests.runtime_server import RuntimeServer

MOCK = "mock_manila"


@pytest.fixture(scope="module")
def offering():
    """A service with mocks."""
    with RuntimeServer([DEVICE, MOCK], instant=True) as running, pytest.MonkeyPatch.context() as p:
        reached(running, p)
        yield running, RuntimeJobs(fetch_machine(DEVICE), deadlines=PATIENT)


def test_the_figure_is_what_the_job_is_charged_and_nothing_is_used(offering, package):
    server, jobs = offering
    before = server.api.usage_seconds()
    seconds = jobs.dry_run(package)
    assert server.api.usage_seconds() == before
    (asked,) = [job for job in server.jobs if job.backend == MOCK]
    assert asked.tags == ["qvlm", "qvlm-dry-run"]
    real = jobs.submit(package, "real", max_seconds=60)
    server.wait()
    assert seconds > 0
    assert jobs.status(real).usage_seconds == pytest.approx(seconds)
    assert server.api.usage_seconds() == pytest.approx(before + seconds)


def test_no_search_takes_a_dry_run_for_a_job(offering, package):
    _, jobs = offering
    jobs.dry_run(package)
    assert jobs.find("qvlm-dry-run") == []


def test_a_dry_run_that_fails_or_ends_too_late_has_no_figure(offering, package):
    server, jobs = offering
    server.faults.add("job_failed", value="too many instructions")
    with pytest.raises(RefusedError, match="too many instructions"):
        jobs.dry_run(package)
    server.faults.clear()
    server.jobs.queue_seconds = 30.0
    try:
        with pytest.raises(UnreachableError, match=r"queued after 0\.2 s"):
            jobs.dry_run(package, wait_seconds=0.2)
    finally:
        server.jobs.queue_seconds = 0.0


def test_an_account_without_mocks_has_none_and_nothing_is_sent(server, jobs, package):
    sent = len(server.jobs)
    with pytest.raises(RefusedError, match="'mock_manila' was not found"):
        jobs.dry_run(package)
    assert len(server.jobs) == sent
