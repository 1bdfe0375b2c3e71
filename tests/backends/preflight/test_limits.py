"""Limits of jobs: a machine's own, or none."""

import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.preflight import limits
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


def test_documented_limits_are_named(make_circuit):
    report = open_backend("noisy:fake_manila", shots=1_000_000).preflight(
        {"mine": (make_circuit(), ["ZZZ"])}, 11, mitigations=["none"]
    )
    said = " ".join(report.levels[0].limits)
    assert "11,000,000 executions" in said
    assert "Open Plan" in said
    assert not report.fits
    long = QuantumCircuit(1, 1)
    for _ in range(1000):
        long.sx(0)
    long.measure(0, 0)
    broken = limits.IBM_LIMITS.broken([Work(long, 14_000, 1)], 20_000.0)
    assert [text.split()[1] for text in broken] == ["control-system", "job"]
    assert "28,840,000" in broken[0]  # 14,000 × (50 + 1000·2 + 10)


def test_so_many_two_qubit_gates_that_a_job_may_be_refused_are_said():
    circuit = QuantumCircuit(2, 1)
    for _ in range(60):
        circuit.cz(0, 1)
    circuit.barrier(0, 1)
    job = [Work(circuit, 1000, 1), Work(circuit, 1, 1)]
    assert JobLimits(sure_two_qubit_gates=121).unsure(job) == []
    (text,) = JobLimits(sure_two_qubit_gates=120).unsure(job)
    assert text.startswith("120 two-qubit gates in one job; fewer than 120 surely pass")
    assert NO_LIMITS.unsure(job) == [] and IBM_LIMITS.sure_two_qubit_gates == 10_000


def test_executions_are_limited_where_the_service_does_not_split_a_job():
    assert IBM_LIMITS.executions == 10_000_000
    assert limits.IBM_ESTIMATOR_LIMITS == limits.replace(IBM_LIMITS, executions=None)
