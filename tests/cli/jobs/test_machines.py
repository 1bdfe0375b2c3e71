"""A machine that charges is asked for bills that are missing."""

import json
import os

import pytest

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger import schema
from tests.cli.runtime_machine import MACHINE


@pytest.mark.slow
def test_a_missing_bill_is_asked_for(qvlm, server):
    options = ("--backend", MACHINE, "--limit", 1, "--shots", 63)
    assert qvlm("submit", "run", *options).status == 0
    store = JobStore(os.environ["QVLM_STORE"])
    columns = schema.submissions
    with store.transaction() as connection:
        connection.execute(columns.update().values(seconds_used=None))
    assert all(part["seconds_charged"] is None for part in usage(qvlm))
    asked = qvlm("jobs", "usage", "--ask")
    assert (asked.status, asked.err) == (0, f"{MACHINE}: 0 jobs are still without a bill\n")
    assert all(part["seconds_charged"] > 0 for part in usage(qvlm))
    store.close()


def usage(qvlm):
    return json.loads(qvlm("jobs", "usage", "--json").out)["usage"]
