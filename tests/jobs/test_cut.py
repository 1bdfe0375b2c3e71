import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.preflight.limits import JobLimits, JobTimer
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs.cut import Scissors
from qvlm_qiskit.jobs.ledger.rows import split


class Device:
    """Ten executions a row."""

    def jobs(self, pubs):
        measured = QuantumCircuit(1)
        return [[Work(measured, pub.parameter_values.size, 10) for pub in pubs]]

    def error_gain(self, pub):
        return 1.0


def pubs(*sizes):
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    other = circuit.copy()
    other.x(0)
    made = zip((circuit, other), sizes, strict=False)
    return [EstimatorPub.coerce((c, "Z", np.arange(n, dtype=float), 0.1)) for c, n in made]


def cut(asked, executions, device=None):
    limits = JobLimits(executions=executions)
    scissors = Scissors(device or Device(), limits, JobTimer(None), "machine")
    jobs = scissors.jobs(split(asked, {}), asked)
    return [[len(rows) for _, rows in job] for job in jobs]


@pytest.mark.parametrize(
    ("most", "jobs"),
    [
        (70, [[5, 2]]),
        (69, [[5, 1], [1]]),
        (30, [[3], [2, 1], [1]]),
        (32, [[3], [2, 1], [1]]),
        (10, [[1]] * 7),
        (None, [[5, 2]]),
    ],
)
def test_rows_are_in_as_few_jobs_as_fit(most, jobs):
    assert cut(pubs(5, 2), most) == jobs


class Gates:
    """Each circuit with ten two-qubit gates, whatever its rows."""

    def jobs(self, pubs):
        works = []
        for pub in pubs:
            circuit = QuantumCircuit(2)
            for _ in range(10):
                circuit.cz(0, 1)
            works.append(Work(circuit, pub.parameter_values.size, 1))
        return [works]

    def error_gain(self, pub):
        return 1.0


@pytest.mark.parametrize(("sure", "jobs"), [(21, [[5, 2]]), (20, [[5], [2]]), (5, [[5], [2]])])
def test_different_circuits_are_parted_where_their_gates_may_be_too_many(sure, jobs):
    asked = pubs(5, 2)
    limits = JobLimits(sure_two_qubit_gates=sure)
    made = Scissors(Gates(), limits, JobTimer(None), "machine").jobs(split(asked, {}), asked)
    assert [[len(rows) for _, rows in job] for job in made] == jobs


def test_one_row_that_is_too_much_is_refused():
    with pytest.raises(BudgetError, match="one row alone is too much for machine: 10 executions"):
        cut(pubs(3), 9)
