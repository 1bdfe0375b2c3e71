"""What the tests of the preflight share as fixtures."""

from collections import Counter

import pytest
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.executor import Executor


@pytest.fixture
def executed(monkeypatch):
    """Counts what Aer and the Runtime client's executor really get: executions and jobs."""
    seen = Counter()
    aer_run, runtime_run = AerSimulator.run, Executor.run

    def counting_aer(self, circuits, *args, **kwargs):
        job = aer_run(self, circuits, *args, **kwargs)
        if not seen["inside the client"]:
            seen["executions"] += sum(r.shots for r in job.result().results)
        return job

    def counting_executor(self, program, **kwargs):
        seen["executions"] += sum(int(i.size()) for i in program.items) * program.shots
        seen["jobs"] += 1
        seen["inside the client"] += 1
        try:
            job = runtime_run(self, program, **kwargs)
            job.result()
        finally:
            seen["inside the client"] -= 1
        return job

    monkeypatch.setattr(AerSimulator, "run", counting_aer)
    monkeypatch.setattr(Executor, "run", counting_executor)
    return seen
