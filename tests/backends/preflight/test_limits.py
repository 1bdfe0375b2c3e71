"""Limits of jobs: a machine's own, or none."""

import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends.preflight.limits import IBM_LIMITS, NO_LIMITS, JobLimits
from qvlm_qiskit.backends.pubs.work import Work


def work(circuits):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    return [Work(circuit, circuits, 100)]


def test_where_none_is_stated_none_is_broken():
    assert NO_LIMITS.broken(work(10**9), 1e9) == []
    assert NO_LIMITS.beyond_plan(1e9) == []


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (JobLimits(executions=199), "200 executions in one job; at most 199"),
        (JobLimits(instructions=119), "120 control-system instructions"),
        (JobLimits(seconds=9), "about 10 s; at most 9 s"),
    ],
)
def test_what_is_stated_is_broken_by_more(limits, says):
    (text,) = limits.broken(work(2), 10.0)
    assert says in text


def test_what_is_stated_is_not_broken_by_as_much():
    assert JobLimits(200, 120, 10).broken(work(2), 10.0) == []


def test_a_time_that_is_not_known_breaks_nothing():
    assert JobLimits(seconds=1).broken(work(1), None) == []
    assert IBM_LIMITS.beyond_plan(None) == []


def test_the_open_plan_is_named():
    (text,) = IBM_LIMITS.beyond_plan(601.0)
    assert text == "about 601 s on the machine in all; the Open Plan has 600 s in 28 days"
