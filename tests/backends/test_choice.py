"""Which machine suits a model's circuits."""

import math
from dataclasses import replace

import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.choice import AS_GOOD, Candidate, best_machine, ranked
from qvlm_qiskit.backends.ibm import machine
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.errors import BackendError, InputError
from tests.runtime_server import RuntimeServer

GOOD = Candidate("ibm:good", 5, math.exp(-0.1), queue=9, seconds=3.0)


def order(*candidates):
    return [one.name for one in ranked(candidates)]


def test_of_equally_good_ones_the_queue_decides_and_then_the_price():
    near = replace(GOOD, name="ibm:near", success=math.exp(-0.1 * AS_GOOD + 1e-9), queue=2)
    cheap = replace(near, name="ibm:cheap", seconds=2.0)
    far = replace(GOOD, name="ibm:far", success=math.exp(-0.1 * AS_GOOD - 1e-6), queue=0)
    assert order(GOOD, near, far, cheap) == ["ibm:cheap", "ibm:near", "ibm:good", "ibm:far"]
    silent = replace(GOOD, name="ibm:silent", success=None, queue=None, seconds=None)
    broken = replace(GOOD, name="ibm:broken", success=1.0, refused="too small")
    assert order(broken, silent, GOOD) == ["ibm:good", "ibm:silent", "ibm:broken"]
    assert order(replace(silent, name="b"), replace(silent, name="a")) == ["a", "b"]


def chain(qubits):
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits - 1):
        circuit.ry(0.3, qubit)
        circuit.cx(qubit, qubit + 1)
    return {"chain": (circuit, "Z" * qubits)}


@pytest.fixture
def account(monkeypatch):
    names = ["fake_manila", "fake_lagos", "fake_perth", "fake_fractional"]
    with RuntimeServer(names, instant=True) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_the_accounts_machines_are_ranked_and_the_best_is_opened(account):
    choice = best_machine(chain(3), BackendOptions(shots=100, seed=1))
    assert len(choice.candidates) == 4
    best = choice.candidates[0]
    assert choice.backend.name == best.name
    assert choice.backend.options.shots == 100
    known = open_backend(best.name, shots=100, seed=1)
    assert best.success == pytest.approx(known.compile(*chain(3)["chain"]).success_probability)
    assert best.queue == 0
    assert best.seconds > 2.0
    assert best.calibrated == known.compiler.calibration_date
    errors = [one.error for one in choice.candidates]
    assert best.error <= AS_GOOD * min(errors)
    assert choice.backend.notes[0].startswith("was chosen of 4 machines: estimated success 0.")
    assert len(account.jobs) == 0


def test_those_that_are_too_small_or_lack_gates_come_last(account):
    choice = best_machine(chain(6), BackendOptions(seed=1))
    able = [one.name for one in choice.candidates if one.refused is None]
    assert set(able) == {"ibm:fake_lagos", "ibm:fake_perth"}
    fractional = best_machine(chain(3), BackendOptions(seed=1, fractional=True))
    assert fractional.backend.name == "ibm:fake_fractional"
    assert "no fractional gates" in fractional.candidates[-1].refused
    with pytest.raises(BackendError, match="none of the account's machines can run"):
        best_machine(chain(40), BackendOptions(seed=1))


class Silent:
    """A service that lists nothing."""

    def backends(self, **_):
        raise RuntimeError("sesame")


def test_a_service_that_lists_nothing_is_one_line(monkeypatch):
    monkeypatch.setattr(machine, "open_service", Silent)
    with pytest.raises(BackendError, match=r"did not list its machines \(RuntimeError\)") as caught:
        best_machine(chain(2))
    assert "sesame" not in str(caught.value)
    with pytest.raises(InputError, match="preflight takes a model"):
        best_machine(3)
