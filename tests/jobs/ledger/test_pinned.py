"""Circuits that are kept: the same after a calibration, a restart, and never half-read."""

import io
import zipfile

import numpy as np
import pytest
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import Target
from qiskit_ibm_runtime.fake_provider import FakeLagosV2

from qvlm_qiskit.backends.compilation.compiler import Compiler
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import BackendError, LedgerError
from qvlm_qiskit.jobs.ledger.pinned import Drift, compiled_bytes, pinned


def circuit():
    values = ParameterVector("x", 3)
    made = QuantumCircuit(2)
    made.ry(values[0], 0)
    made.ry(values[1], 1)
    made.cx(0, 1)
    made.rz(values[2], 1)
    made.rx(0.3, 0)
    return made


def calibrated_again(device, compiled):
    """The device after the qubits that a circuit uses have become bad."""
    target = FakeLagosV2().target
    for name in ("cx", "sx", "x", "measure"):
        for qubits, properties in target[name].items():
            properties.error = 0.4 if set(qubits) & set(compiled.layout) else 1e-4
    return Compiler(target, seed=device.seed)


@pytest.fixture
def device():
    return Compiler(FakeLagosV2().target, seed=3)


def test_another_calibration_changes_a_plain_compiler_and_not_a_pinned_one(device):
    source, observable = circuit(), SparsePauliOp(["IZ", "XX"])
    before = device.compile(source, observable)
    changed = calibrated_again(device, before)
    assert set(changed.compile(source, observable).layout) != set(before.layout)
    kept = pinned(changed, compiled_bytes(device, [source]))
    after = kept.compile(circuit(), observable)  # an equal circuit, built again
    assert circuit_digest(after.circuit) == circuit_digest(before.circuit)
    assert (after.layout, after.depth, after.two_qubit_gates, after.success_probability) == (
        before.layout, before.depth, before.two_qubit_gates, before.success_probability,
    )  # fmt: skip


def test_a_pinned_circuit_has_the_values_of_its_source(device):
    source, observable = circuit(), SparsePauliOp(["IZ", "XX"], [1.0, 0.5])
    kept = pinned(device, compiled_bytes(device, [source])).compile(source, observable)
    values = np.random.default_rng(0).uniform(-3, 3, 3)
    names = {p.name: v for p, v in zip(source.parameters, values, strict=True)}
    bound = kept.circuit.assign_parameters({p: names[p.name] for p in kept.circuit.parameters})
    mapped = SparsePauliOp.from_sparse_observable(
        kept.observables.sparse_observables_array().ravel()[0]
    )
    expected = Statevector(source.assign_parameters(values)).expectation_value(observable)
    assert Statevector(bound).expectation_value(mapped) == pytest.approx(expected, abs=1e-9)


def test_other_circuits_are_compiled_as_ever(device):
    other = QuantumCircuit(1)
    other.h(0)
    kept = pinned(device, compiled_bytes(device, [circuit()]))
    found = kept.compile(other, SparsePauliOp("Z"))
    assert circuit_digest(found.circuit) == circuit_digest(
        device.compile(other, SparsePauliOp("Z")).circuit
    )


def rewritten(content, change):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


def test_what_cannot_be_read_is_refused(device):
    content = compiled_bytes(device, [circuit()])
    other = compiled_bytes(device, [circuit().inverse()])
    with zipfile.ZipFile(io.BytesIO(other)) as archive:
        foreign = archive.read("circuit-0.qpy")
    for damaged, says in (
        (content[: len(content) // 2], "can't be read"),
        (rewritten(content, lambda n, c: c.replace(b'"format": 1', b'"format": 9')), "format 9"),
        (rewritten(content, lambda n, c: foreign if n.endswith("qpy") else c), "differently"),
        (rewritten(content, lambda n, c: c[:40] if n.endswith("qpy") else c), "can't be read"),
    ):
        with pytest.raises(LedgerError, match=says):
            pinned(device, damaged)


def test_what_a_calibration_makes_of_kept_circuits_is_stated(device):
    source, observable = circuit(), SparsePauliOp(["IZ", "XX"])
    content = compiled_bytes(device, [source, source.reverse_bits()])
    same = pinned(device, content).drift()
    assert same.planned == pytest.approx(same.now)
    before = device.compile(source, observable)
    other = device.compile(source.reverse_bits(), observable)
    assert same.planned == pytest.approx(before.success_probability * other.success_probability)
    worse = pinned(calibrated_again(device, before), content).drift()
    assert worse.planned == same.planned
    assert worse.now < 0.1
    same.check(0.0001)
    worse.check(None)
    worse.check(1.0)
    with pytest.raises(
        BackendError, match=r"fell from 0\.\d+ to .* by more than 0.1; nothing more"
    ):
        worse.check(0.1)


def test_a_machine_that_lost_a_gate_has_no_success(device):
    content = compiled_bytes(device, [circuit()])
    without = Compiler(Target.from_configuration(["rz", "sx", "x", "cz", "measure"], 7))
    assert pinned(without, content).drift().now == 0.0
    assert pinned(device, compiled_bytes(device, [])).drift() == Drift(1.0, 1.0)
    unstated = compiled_bytes(without, [circuit()])
    assert pinned(without, unstated).drift() is None
