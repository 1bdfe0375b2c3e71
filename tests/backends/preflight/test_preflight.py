"""The preflight says what is then really executed, and runs nothing itself."""

import json

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit_ibm_runtime.fake_provider import FakeManilaV2
from qiskit_machine_learning.circuit.library import raw_feature_vector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import MitigationError

WRAPPED = ("none", "readout", "zne", "readout+zne")
RESILIENCE = ("resilience-0", "resilience-1", "resilience-2")
OBSERVABLES = {
    "commuting": [["ZII"], ["IZI"], ["ZZZ"]],
    "several bases": [["ZII"], ["XYI"], ["IIX"], ["ZIY"]],
    "a constant": [["III"], ["IZI"]],
}


@pytest.mark.parametrize("observables", OBSERVABLES)
@pytest.mark.parametrize("mitigation", WRAPPED)
def test_executions_are_those_that_aer_gets(
    mitigation, observables, executed, make_circuit, values_for
):
    circuit, asked = make_circuit(), OBSERVABLES[observables]
    backend = open_backend(
        "noisy:fake_manila", shots=30, mitigation=mitigation, seed=1, method="aer"
    )
    subject = {"mine": (circuit, asked)}
    (level,) = backend.preflight(subject, 3, mitigations=[mitigation]).levels
    assert not executed
    backend.estimator().run([(circuit, asked, values_for(circuit, (3,)))]).result()
    assert level.executions == executed["executions"] > 0
    calibration = 2 * 10_000 if "readout" in mitigation else 0
    assert level.calibration_executions == calibration
    (again,) = backend.preflight(subject, 3, mitigations=[mitigation]).levels
    assert again.executions == level.executions - calibration  # the calibration is known by now


OF_THE_RUNTIME = ("twirling(randomizations=4)", "dd", "resilience-1+dd+twirling(randomizations=8)")


@pytest.mark.parametrize("mitigation", (*WRAPPED, *RESILIENCE, *OF_THE_RUNTIME, "cdr", "pec"))
def test_executions_are_those_that_the_runtime_client_gets(
    mitigation, executed, make_circuit, values_for
):
    circuit = make_circuit(num_qubits=2)
    asked = [["ZI"], ["IZ"], ["XX"]]
    backend = open_backend("fake_manila", shots=100, mitigation=mitigation, seed=1)
    report = backend.preflight({"mine": (circuit, asked)}, 2, mitigations=[mitigation])
    (level,) = report.levels
    assert not executed
    backend.estimator().run([(circuit, asked, values_for(circuit, (2,)))]).result()
    assert level.mitigation == mitigation
    assert (level.executions, level.jobs) == (executed["executions"], executed["jobs"])


def test_a_known_mitigation_is_reported_alone_and_none_means_all():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    subject = {"x": (circuit, ["Z"])}
    named = open_backend("noisy:fake_manila", mitigation="zne").preflight(subject)
    assert [level.mitigation for level in named.levels] == ["zne"]
    every = open_backend("noisy:fake_manila").preflight(subject)
    offered = open_backend("noisy:fake_manila").mitigations
    assert [level.mitigation for level in every.levels] == list(offered)
    assert set(WRAPPED) < set(offered)
    chosen = open_backend("fake_manila").preflight(subject, mitigations=["none", "resilience-1"])
    assert [level.mitigation for level in chosen.levels] == ["none", "resilience-1"]
    with pytest.raises(MitigationError, match="resilience-1"):
        open_backend("noisy:fake_manila").preflight(subject, mitigations=["resilience-1"])


def test_the_report_is_plain_data_and_tables(make_circuit):
    report = open_backend("fake_manila", shots=100).preflight(
        {"mine": (make_circuit(), ["ZZZ"])}, 4
    )
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["fits"] is True
    (block,) = data["blocks"]
    compiled = open_backend("fake_manila").compile(make_circuit(), ["ZZZ"])
    assert block["layout"] == list(compiled.layout)
    assert block["two_qubit_gates"] == compiled.two_qubit_gates
    assert block["success_probability"] == compiled.success_probability
    for table in report.tables():
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert data["levels"][0]["executions"] == 400


def test_the_duration_is_the_critical_path_with_the_readout():
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.x(0)  # beside nothing: on the critical path only if it ends later than the readout
    target = FakeManilaV2().target
    (block,) = open_backend("fake_manila").preflight({"c": (circuit, ["ZZ"])}).blocks
    first, second = block.layout
    expected = target["x"][(first,)].duration + max(
        target["cx"][pair].duration for pair in [(first, second)]
    )
    expected += max(
        target["x"][(first,)].duration + target["measure"][(first,)].duration,
        target["measure"][(second,)].duration,
    )
    assert block.duration_us == pytest.approx(expected * 1e6, rel=0.05)


def test_too_wide_a_circuit_is_reported_and_not_run():
    report = open_backend("noisy:fake_manila").preflight({"wide": (QuantumCircuit(6), ["Z" * 6])})
    assert not report.fits
    assert "6 qubits, the device 5" in report.blocks[0].refused
    assert all("6 qubits, the device 5" in level.refused for level in report.levels)
    assert any(note.startswith("wide:") for note in report.notes())


def test_what_a_local_simulation_cannot_hold_is_reported():
    wide = QuantumCircuit(30)
    wide.h(range(30))
    report = open_backend("noisy:fake_torino").preflight(
        {"wide": (wide, ["Z" * 30])}, mitigations=["none"]
    )
    assert "30 qubits" in report.levels[0].refused


def test_exact_backends_execute_nothing(make_circuit):
    for name in ("aer", "statevector"):
        (level,) = open_backend(name).preflight({"mine": (make_circuit(), ["ZZZ"])}).levels
        assert (level.executions, level.refused, level.precision) == (None, None, None)


def test_parameters_do_not_have_to_be_used(values_for):
    angles = ParameterVector("t", 2)
    circuit = QuantumCircuit(1)
    circuit.ry(angles[0], 0)
    circuit.rz(angles[1], 0)
    circuit.rz(-angles[1], 0)
    report = open_backend("noisy:fake_manila", shots=10).preflight({"c": (circuit, ["Z"])}, 2)
    assert report.levels[0].executions == 20


@pytest.mark.parametrize("mitigation", WRAPPED)
def test_the_density_engine_samples_what_aer_would_measure(mitigation, make_circuit):
    subject = {"mine": (make_circuit(), OBSERVABLES["several bases"])}
    found = []
    for method in ("aer", "density"):
        backend = open_backend("noisy:fake_manila", shots=30, seed=1, method=method)
        (level,) = backend.preflight(subject, 3, mitigations=[mitigation]).levels
        found.append((level.executions, level.calibration_executions))
    assert found[0] == found[1]
    assert found[0][0] > 0


class PassingOn:
    """Around a device, as a recorder is: it keeps the device's estimator as ``inner``."""

    def __init__(self, inner, seen):
        self.inner = inner
        self.seen = seen

    def run(self, pubs, *, precision=None):
        self.seen.append(1)
        return self.inner.run(pubs, precision=precision)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noisy:fake_manila", "fake_manila"])
def test_a_recorder_around_the_device_changes_no_costs(name, make_circuit):
    subject = {"mine": (make_circuit(), OBSERVABLES["commuting"])}
    backend, seen = open_backend(name, shots=30, seed=1), []
    recorded = backend.recorded(lambda device, about: PassingOn(device, seen))
    report = recorded.preflight(subject, 3)
    assert report == backend.preflight(subject, 3)
    assert len(report.levels) > 3
    assert any(level.executions for level in report.levels)
    assert not seen


def test_another_mitigation_keeps_the_recorder(make_circuit, values_for):
    circuit, seen = make_circuit(), []
    backend = open_backend("noisy:fake_manila", shots=30, seed=1)
    recorded = backend.recorded(lambda device, about: PassingOn(device, seen))
    for mitigation in ("zne", "none"):
        recorded = recorded.with_mitigation(mitigation)
        assert recorded.options.mitigation == mitigation
        recorded.estimator().run([(circuit, ["ZII"], values_for(circuit, (2,)))]).result()
    assert len(seen) == 2


def test_an_estimator_that_neither_states_nor_passes_on_is_refused(make_circuit):
    backend = open_backend("noisy:fake_manila", shots=30, seed=1)
    silent = backend.recorded(lambda device, about: StatevectorEstimator())
    (level,) = silent.preflight({"mine": (make_circuit(), ["ZII"])}, mitigations=["none"]).levels
    assert "StatevectorEstimator doesn't say beforehand" in level.refused


def test_a_circuit_that_is_defined_only_with_values_is_compiled_with_some():
    circuit = raw_feature_vector(4)
    backend = open_backend("noisy:depolarizing(0.01)", mitigation="none")
    report = backend.preflight({"loads": (circuit, [["ZI"]])}, 2, mitigations=["none"])
    assert report.fits
    assert report.blocks[0].two_qubit_gates > 0
