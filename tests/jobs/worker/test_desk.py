"""What the steps with a submission share."""

import os
from types import SimpleNamespace

import pytest

from qvlm_qiskit.jobs import Policy
from qvlm_qiskit.jobs.worker.desk import Desk
from tests.jobs.unreliable import Unreliable


@pytest.fixture
def desk(store):
    return Desk(store, Unreliable(), policy=Policy(start_seconds=2.0))


def test_two_desks_have_two_names_that_fit_their_column(store, desk):
    other = Desk(store, desk.service)
    assert desk.owner != other.owner
    assert len(desk.owner) <= 64


def test_a_name_is_kept_until_the_process_is_another(desk, monkeypatch):
    before = desk.owner
    desk.take_own_name()
    assert desk.owner == before
    monkeypatch.setattr(os, "getpid", lambda: -1)
    desk.take_own_name()
    assert desk.owner != before


def test_whoever_sends_pays_and_otherwise_whoever_recorded(desk):
    recorded = SimpleNamespace(run="r-1")
    assert desk.payer(recorded) == "r-1"
    desk.run = "r-2"
    assert desk.payer(recorded) == "r-2"


def test_the_grace_period_covers_start_way_and_listing(desk):
    service = desk.service
    assert desk.grace_seconds() == 2.0 + service.post_seconds + service.visible_after_seconds
