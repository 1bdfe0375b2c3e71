"""IBM's machines, with a fake device in the place of one."""

import json
import os
import traceback

import pytest
from qiskit import QuantumCircuit
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.ibm import machine
from qvlm_qiskit.errors import BackendError, CredentialsError, MitigationError
from tests.parameters import first_by_default


class Service:
    """In place of IBM's service: knows one machine, or refuses and repeats the token."""

    def __init__(self):
        from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

        token = os.environ["QISKIT_IBM_TOKEN"]
        if token.endswith("revoked"):
            raise IBMNotAuthorizedError(f"unknown token {token}")
        self.machine = FakeManilaV2()

    def least_busy(self, use_fractional_gates):
        return self.machine

    def backend(self, name, use_fractional_gates):
        if name != self.machine.name:
            raise RuntimeError(f"no {name} for {os.environ['QISKIT_IBM_TOKEN']}")
        return self.machine


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(machine, "open_service", Service)
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "sesame-open")


@pytest.mark.usefixtures("service")
def test_the_least_busy_machine_has_its_own_name_and_stays_the_same():
    backend = open_backend("ibm:least_busy", shots=64, mitigation="resilience-1")
    assert (backend.name, backend.kind, backend.num_qubits) == ("ibm:fake_manila", "hardware", 5)
    other = backend.with_mitigation("resilience-2")
    assert other.device.machine is backend.device.machine
    assert (other.device.resilience_level, other.options.shots) == (2, 64)
    with pytest.raises(MitigationError, match="'pec'"):
        backend.with_mitigation("pec")


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("level", first_by_default(2, 0, 1))
def test_what_is_submitted_to_hardware_is_what_the_preflight_said(level, monkeypatch):
    from qiskit_ibm_runtime.executor import Executor

    seen, run = [], Executor.run

    def spy(self, program, **options):
        seen.append(sum(int(item.size()) for item in program.items) * program.shots)
        return run(self, program, **options)

    monkeypatch.setattr(Executor, "run", spy)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    asked = [["ZZ"], ["XX"]]
    backend = open_backend("ibm:fake_manila", shots=64, mitigation=f"resilience-{level}")
    (planned,) = backend.preflight({"bell": (circuit, asked)}).levels
    assert seen == []
    backend.estimator().run([(circuit, asked)]).result()
    assert (planned.jobs, planned.executions) == (1, seen[0])


@pytest.mark.usefixtures("service", "debugged_here_only")
def test_credentials_are_never_repeated(monkeypatch, caplog, capfd):
    caplog.set_level("DEBUG")
    said = [json.dumps(open_backend("ibm:least_busy").describe())]
    said.append(repr(open_backend("ibm:least_busy")))
    with pytest.raises(BackendError, match="ibm_nowhere") as missing:
        open_backend("ibm:ibm_nowhere")
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "sesame-revoked")
    with pytest.raises(CredentialsError) as refused:
        open_backend("ibm:least_busy")
    for caught in (missing, refused):
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        said.append("".join(traceback.format_exception(caught.value)))
    assert "sesame" not in " ".join([*said, caplog.text, *capfd.readouterr()])
