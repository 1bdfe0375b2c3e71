"""A promise across `jobs`: docs/faults.md has a row for every fault, with what the tests see.

Tests no single module.
"""

from pathlib import Path

import pytest

from tests.integration.test_jobs_on_runtime import EVERY_FAULT, SENT_TWICE

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def rows():
    cells = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines()]
    return {c[0].split("`")[1]: [x.strip() for x in c[1:]] for c in cells if c[0].startswith(" `")}


@pytest.mark.parametrize("fault", EVERY_FAULT)
def test_every_fault_that_passes_ends_with_one_job(fault):
    *_, path, requests, jobs = rows()[fault]
    assert path.startswith("intended → posting")
    assert path.endswith("stored → answered")
    assert (requests, jobs) == ("2" if fault in SENT_TWICE else "1", "1")


def test_what_is_refused_or_fails_is_not_sent_again():
    assert rows()["invalid"][-3:] == ["intended → posting → unknown → refused", "1", "0"]
    assert rows()["job_failed"][-3:] == ["intended → posting → queued → failed", "1", "1"]
