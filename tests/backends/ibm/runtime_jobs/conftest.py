"""The unmodified Runtime client, opened as a user does, against the loopback service."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.ibm.wire import Deadlines
from qvlm_qiskit.backends.pubs.package import Package
from tests.runtime_server import RuntimeServer

DEVICE = "fake_manila"
COUNTER = itertools.count()
SHORT = Deadlines(
    connect_seconds=1,
    silence_seconds=0.6,
    read_seconds=1.5,
    download_seconds=1.5,
    write_seconds=1.5,
    attempts=2,
)
PATIENT = replace(
    SHORT,
    connect_seconds=60,
    silence_seconds=60,
    read_seconds=60,
    download_seconds=60,
    write_seconds=60,
)


def patience(fault):
    """Only who is never answered gives up soon: a busy machine may take its time to answer."""
    return SHORT if fault.startswith("hang") else PATIENT


def pub_of(device, values, precision=0.125):
    angles = ParameterVector("a", 4)
    circuit = QuantumCircuit(3)
    circuit.ry(angles[0], 0)
    circuit.ry(angles[1], 1)
    circuit.cx(0, 1)
    circuit.rx(angles[2], 1)
    circuit.cx(1, 2)
    circuit.rz(angles[3], 2)
    isa = transpile(circuit, target=device.target, optimization_level=1, seed_transpiler=3)
    observables = [[SparsePauliOp(label).apply_layout(isa.layout)] for label in ("ZZI", "XXI")]
    return EstimatorPub.coerce((isa, observables, values, precision))


@pytest.fixture(scope="session")
def pub():
    return pub_of(fake_device(DEVICE), np.random.default_rng(4).uniform(-1.5, 1.5, (2, 4)))


@pytest.fixture
def package(pub):
    """Two pubs of the shapes (2, 2) and (2, 1) at level 0."""
    other = EstimatorPub(pub.circuit, pub.observables, pub.parameter_values[:1], pub.precision)
    return Package((pub, other), {"resilience_level": 0})


def reached(server, patch):
    """Point the client to a server, as its user does."""
    for name, value in server.environment().items():
        patch.setenv(name, value)


@pytest.fixture(scope="module")
def shared():
    """One server and machine for a module's tests."""
    with RuntimeServer([DEVICE], instant=True) as running, pytest.MonkeyPatch.context() as patch:
        reached(running, patch)
        yield running, fetch_machine(DEVICE)


@pytest.fixture
def server(shared):
    yield shared[0]
    shared[0].faults.clear()


@pytest.fixture
def machine(shared):
    return shared[1]


@pytest.fixture
def tag():
    return f"tag-{next(COUNTER)}"


@pytest.fixture
def jobs(machine):
    return RuntimeJobs(machine, deadlines=PATIENT)


@pytest.fixture(scope="module")
def completed(shared, pub):
    """Id of a completed job, which a module's tests only look at."""
    server, machine = shared
    two = Package((pub, pub), {"resilience_level": 0})
    server_id = RuntimeJobs(machine, deadlines=PATIENT).submit(two, "completed", max_seconds=60)
    server.wait()
    return server_id


@pytest.fixture
def done(server, completed):
    """The same; the server's faults are gone after a test."""
    return completed
