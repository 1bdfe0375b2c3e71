"""Copies of layers, in this process and in others; threads, forks and exported programs."""

import copy
import io
import multiprocessing
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qvlm_qiskit import QuantumLayer, open_backend
from qvlm_qiskit.errors import BackendError, InputError, LedgerError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.recording import recorded_backend
from qvlm_qiskit.quantum import make_qnn

BACKENDS = [
    ("statevector", {}),
    ("aer", {}),
    ("aer", {"shots": 100}),
    ("noisy:depolarizing(0.01)", {"precision": 0}),
    ("noisy:fake_manila", {"shots": 100, "mitigation": "readout+zne"}),
    ("noisy:fake_manila+zz(0.02)", {"shots": 100, "method": "aer"}),
    ("fake_manila", {"shots": 100, "mitigation": "twirling"}),
]


def small_layer(**options):
    angle = Parameter("t")
    circuit = QuantumCircuit(2)
    circuit.ry(angle, 0)
    circuit.cx(0, 1)
    return QuantumLayer(make_qnn(circuit, [], [angle], **options), initial_weights=[0.3])


def pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def saved(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, saved])
@pytest.mark.parametrize(("name", "options"), BACKENDS)
def test_a_copy_of_a_layer_runs_on_the_same_machine(name, options, copied):
    layer = small_layer()
    layer.run_on(open_backend(name, seed=1, **options))
    before = layer().detach()
    other = copied(layer)
    assert torch.equal(other().detach(), before)
    same = other.active_estimator is layer.active_estimator
    assert same == (copied in (copy.copy, copy.deepcopy) and name != "statevector") or (
        copied is copy.copy
    )


def test_averaged_weights_are_taken_on_a_backend():
    layer = small_layer()
    layer.run_on(open_backend("noisy:depolarizing(0.01)", precision=0))
    averaged = torch.optim.swa_utils.AveragedModel(layer)
    averaged.update_parameters(layer)
    assert torch.equal(averaged().detach(), layer().detach())


def test_a_ledger_stays_in_its_process(tmp_path):
    layer = small_layer()
    backend = open_backend("noisy:depolarizing(0.01)", shots=100, seed=1)
    recorded = recorded_backend(backend, JobStore(tmp_path))
    layer.run_on(recorded)
    assert torch.equal(copy.deepcopy(layer)(), layer())
    with pytest.raises(BackendError, match="can't go to another process"):
        pickle.dumps(layer)
    with pytest.raises(LedgerError, match="can't go to another process"):
        pickle.dumps(recorded.device)


def test_threads_share_an_estimator():
    estimator = open_backend("noisy:fake_manila", shots=100, seed=1).estimator()
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.rz(0.123, 1)
    pubs = [(circuit, ["ZI", "XY"], [0.1 * i]) for i in range(8)]
    found = {}

    def run(i):
        found[i] = estimator.run([pubs[i]]).result()[0].data.evs

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(
        np.array_equal(found[i], estimator.run([pub]).result()[0].data.evs)
        for i, pub in enumerate(pubs)
    )


def rotations(qubits):
    x, w = ParameterVector("x", qubits), ParameterVector("w", qubits)
    circuit = QuantumCircuit(qubits)
    for i in range(qubits):
        circuit.ry(x[i], i)
        circuit.rx(w[i], i)
        circuit.cx(i, (i + 1) % qubits)
    return QuantumLayer(make_qnn(circuit, list(x), list(w)), np.linspace(-1, 1, qubits))


@pytest.mark.slow
def test_an_exported_layer_has_the_layers_values():
    layer, inputs = rotations(3), torch.randn(4, 3)
    exported = torch.export.export(layer, (inputs,)).module()
    assert torch.allclose(exported(inputs), layer(inputs), atol=1e-6)
    for machine, refusal in (
        (open_backend("aer"), "exports can't go through Aer"),
        (open_backend("noisy:fake_manila", shots=100), "can't be exported"),
    ):
        layer.run_on(machine)
        with pytest.raises(InputError, match=refusal):
            torch.export.export(layer, (inputs,))


FORKED = """
import multiprocessing, sys, torch
from tests.quantum.test_copies import rotations
from qvlm_qiskit import open_backend
torch.set_num_threads(2)
layer, inputs = rotations(10), torch.randn({rows}, 10)
layer.run_on(open_backend({name!r}, **{options!r}))
def run():
    with torch.no_grad():
        layer(inputs)
run()
child = multiprocessing.get_context("fork").Process(target=run)
child.start()
child.join(120)
hangs = child.is_alive()
if hangs:
    child.kill()
sys.exit(hangs or child.exitcode)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [("statevector", {}, 64), ("noisy:depolarizing(0.01)", {"shots": 100}, 4)],
)
def test_a_process_that_is_forked_after_use_does_not_hang(name, options, rows):
    """A row has a thousand amplitudes, or a million in a density matrix: threads share the work."""
    script = FORKED.format(name=name, options=options, rows=rows)
    assert subprocess.run([sys.executable, "-c", script], timeout=180, check=False).returncode == 0


def first_value(layer, answers):
    answers.put(float(layer().detach()[0]))


@pytest.mark.slow
def test_a_layer_goes_to_a_spawned_process():
    layer = small_layer()
    layer.run_on(open_backend("noisy:fake_manila", shots=100, seed=1))
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=first_value, args=(layer, answers))
    child.start()
    assert answers.get(timeout=180) == float(layer().detach()[0])
    child.join()
