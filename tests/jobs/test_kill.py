"""A promise across `jobs`: SIGKILL where a submitting process writes; see `kill_everywhere`.

Tests no single module.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def killed(*options):
    """The exit status of the kill test, and its rows that went wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.jobs.kill_everywhere", *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) > 4
    return done.returncode, [line for line in lines if "WRONG" in line]


@pytest.mark.slow
def test_a_process_killed_around_the_request_leaves_one_job():
    assert killed("--request") == (0, [])


@pytest.mark.slow
def test_a_process_killed_at_any_write_leaves_one_job():
    assert killed() == (0, [])


@pytest.mark.slow
def test_the_runtime_client_killed_at_any_write_or_request_leaves_one_job():
    assert killed("--runtime") == (0, [])


@pytest.mark.slow
def test_control_without_the_search_a_killed_process_leads_to_two_jobs():
    status, wrong = killed("--request", "--unprotected")
    assert status == 1
    assert "request was accepted" in wrong[0]
    assert all(line.split()[-3] == "2" for line in wrong)


@pytest.mark.slow
def test_control_the_runtime_client_without_the_search_leads_to_two_jobs():
    status, wrong = killed("--runtime", "--request", "--unprotected")
    assert status == 1
    assert wrong
