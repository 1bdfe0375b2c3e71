"""A promise across `jobs`: SIGKILL where a process writes that submits or trains.

See `kill_everywhere` and `kill_training`.

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
    done = ended("kill_everywhere", *options)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) > 4
    return done.returncode, [line for line in lines if "WRONG" in line]


def ended(module, *options):
    """What a module of this folder left as a program."""
    return subprocess.run(
        [sys.executable, "-m", f"tests.jobs.{module}", *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


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
def test_with_rows_on_tiles_a_client_killed_around_the_request_leaves_one_job():
    assert killed("--runtime", "--tiles", "--request") == (0, [])


@pytest.mark.slow
def test_control_without_the_search_a_killed_process_leads_to_two_jobs():
    status, wrong = killed("--request", "--unprotected")
    assert status == 1
    assert wrong  # under load a renewed lease is one write more, so that names of points shift
    assert all(line.split()[-3] == "2" for line in wrong)


@pytest.mark.slow
def test_control_the_runtime_client_without_the_search_leads_to_two_jobs():
    status, wrong = killed("--runtime", "--request", "--unprotected")
    assert status == 1
    assert wrong


@pytest.mark.slow
def test_a_training_killed_twenty_times_buys_nothing_twice_and_ends_the_same():
    done = ended("kill_training")
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(
        line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[-6:] if "(" not in line
    )
    assert (said["kills"], said["steps"]) == ("20", "30")
    assert (said["rows bought twice"], said["weights equal"]) == ("0", "yes")
