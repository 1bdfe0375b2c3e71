"""The preflight says what is then really executed, and runs nothing itself."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.executor import Executor
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import Backend, BackendOptions, Compiler, open_backend
from qvlm_qiskit.backends.preflight import limits
from qvlm_qiskit.backends.preflight.advice import advice, largest_encoding
from qvlm_qiskit.backends.preflight.costs import level_report
from qvlm_qiskit.backends.pubs.work import Call, Work
from qvlm_qiskit.blocks.core import QuantumCore
from qvlm_qiskit.errors import InputError, MitigationError

WRAPPED = ("none", "readout", "zne", "readout+zne")
LEARNING = ("cdr", "learned-zne", "readout+cdr(circuits=5)")
SAMPLING = ("twirling(randomizations=3)", "pec(samples=5)", "readout+twirling+zne")
RESILIENCE = ("resilience-0", "resilience-1", "resilience-2")
OBSERVABLES = {
    "commuting": [["ZII"], ["IZI"], ["ZZZ"]],
    "several bases": [["ZII"], ["XYI"], ["IIX"], ["ZIY"]],
    "a constant": [["III"], ["IZI"]],
}


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


@pytest.mark.parametrize("mitigation", (*LEARNING, *SAMPLING))
def test_training_and_random_circuits_are_counted(mitigation, executed, make_circuit, values_for):
    circuit = make_circuit(layers=2)
    pub = (circuit, [["ZII"], ["IZI"], ["ZZZ"]], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=40, mitigation=mitigation, seed=1, method="aer"
    )
    calls = [Call((EstimatorPub.coerce(pub),), "mine")]
    level = level_report(mitigation, backend, calls)
    assert not executed
    result = backend.estimator().run([pub]).result()[0]
    metadata = result.metadata
    assert level.executions == executed["executions"] > 0
    assert level.calibration_executions == metadata["calibration_executions"]
    assert level.executions == metadata["executions"] + metadata["calibration_executions"]
    assert level.circuits == metadata["circuits"] + metadata["calibration_circuits"]
    assert (level.calibration_executions > 0) == (mitigation in LEARNING or "readout" in mitigation)
    again = level_report(mitigation, backend, calls)
    assert again.executions == metadata["executions"]
    overhead = metadata["mitigation"][-1]["overhead"]
    plain = 3 * 40 * np.prod([entry["overhead"] for entry in metadata["mitigation"][:-1]])
    assert overhead == pytest.approx(metadata["executions"] / plain)


def test_what_auto_will_run_is_bounded(executed, make_circuit, values_for):
    circuit = make_circuit(layers=2)
    pub = (circuit, [["ZII"], ["IZI"], ["ZZZ"]], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=40, mitigation="auto", budget=60_000, seed=1, method="aer"
    )
    calls = [Call((EstimatorPub.coerce(pub),), "mine")]
    level = level_report("auto", backend, calls)
    assert level.at_most
    metadata = backend.estimator().run([pub]).result()[0].metadata
    assert 0 < executed["executions"] <= level.executions
    spent = metadata["executions"] + metadata["calibration_executions"]
    assert spent == executed["executions"]
    assert metadata["calibration_executions"] <= 60_000
    again = level_report("auto", backend, calls)
    assert (again.executions, again.calibration_executions) == (metadata["executions"], 0)


@pytest.mark.parametrize("mitigation", WRAPPED)
def test_pairs_of_rows_and_observables_are_counted_as_pairs(
    mitigation, executed, make_circuit, values_for
):
    circuit = make_circuit()
    pub = (circuit, ["ZII", "XII", "YII"], values_for(circuit, (3,)))
    backend = open_backend(
        "noisy:fake_manila", shots=30, mitigation=mitigation, seed=1, method="aer"
    )
    level = level_report(mitigation, backend, [Call((EstimatorPub.coerce(pub),), "mine")])
    backend.estimator().run([pub]).result()
    assert level.executions == executed["executions"] > 0


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


def test_seconds_are_those_of_the_documented_formula():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    backend = open_backend("noisy:fake_manila", shots=1000)
    report = backend.preflight({"x": (circuit, ["Z"])}, 5, mitigations=["none"])
    duration = report.blocks[0].duration_us * 1e-6
    assert report.levels[0].seconds_qpu == pytest.approx(2 + 5000 * (duration + 250e-6))
    assert (
        open_backend("noisy:depolarizing(0.01)")
        .preflight({"x": (circuit, ["Z"])})
        .levels[0]
        .seconds_qpu
        is None
    )


def test_the_work_of_every_block_is_said():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    subject = {"a": (circuit, ["ZZ"]), "b": (circuit, ["ZZ", "XX"])}
    backend = open_backend("noisy:fake_manila", shots=100, mitigation="readout")
    work = backend.preflight(subject, 3).levels[0].work
    counted = {(w.block, w.calibration, w.shots): w.circuits for w in work}
    # the second block is calibrated already: the same qubits are measured
    assert counted == {("a", False, 100): 3, ("a", True, 10_000): 2, ("b", False, 100): 6}


def test_shots_for_a_precision_contain_the_amplification():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    backend = open_backend("noisy:fake_manila", precision=0.02)
    levels = {v.mitigation: v for v in backend.preflight({"c": (circuit, ["ZZ", "IZ"])}).levels}
    assert levels["none"].shots_for_precision == 2500
    layout = backend.compile(circuit, ["ZZ"]).layout
    errors = [FakeManilaV2().target["measure"][(q,)].error for q in layout]
    gain = math.prod(1 / (1 - 2 * e) for e in errors)
    assert levels["readout"].shots_for_precision == math.ceil((gain / 0.02) ** 2)
    # linear extrapolation from 1, 3, 5 to 0: weights 13/12, 1/3, -5/12
    zne = math.sqrt((13 / 12) ** 2 + (1 / 3) ** 2 + (5 / 12) ** 2)
    assert levels["zne"].shots_for_precision == pytest.approx((zne / 0.02) ** 2, abs=1)
    both = levels["readout+zne"].shots_for_precision
    assert both == pytest.approx((zne * gain / 0.02) ** 2, abs=1)
    doubled = backend.preflight({"c": (circuit, ["ZZ"])}, mitigations=["none"])
    from qiskit.quantum_info import SparsePauliOp

    weighted = SparsePauliOp(["ZZ", "IZ", "II"], [1.0, -2.0, 7.0])
    heavy = backend.preflight({"c": (circuit, [weighted])}, mitigations=["none"])
    assert heavy.levels[0].shots_for_precision == 9 * doubled.levels[0].shots_for_precision


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


def test_exact_backends_execute_nothing(make_circuit):
    for name in ("aer", "statevector"):
        (level,) = open_backend(name).preflight({"mine": (make_circuit(), ["ZZZ"])}).levels
        assert (level.executions, level.refused, level.precision) == (None, None, None)


def test_a_device_that_says_nothing_is_refused_and_not_guessed():
    target = FakeManilaV2().target
    backend = Backend(
        "mine", "simulated shots", 5, BackendOptions(), StatevectorEstimator(), Compiler(target)
    )
    circuit = QuantumCircuit(1)
    (level,) = backend.preflight({"c": (circuit, ["Z"])}).levels
    assert "StatevectorEstimator doesn't say beforehand" in level.refused


@pytest.mark.parametrize(
    ("subject", "batch", "says"),
    [
        (QuantumCircuit(1), 1, "QuantumCircuit"),
        ({}, 1, "no quantum layer"),
        ({"a": QuantumCircuit(1)}, 1, "pair"),
        ({"a": (QuantumCircuit(1), ["Z"])}, 0, "at least 1 row"),
        ({"a": (QuantumCircuit(1), ["Z"])}, np.zeros((2, 0)), "number of rows"),
    ],
)
def test_what_cannot_be_understood_is_named(subject, batch, says):
    with pytest.raises(InputError, match=says):
        open_backend("noisy:fake_manila").preflight(subject, batch)


@pytest.mark.parametrize("qubits", [8, pytest.param(12, marks=pytest.mark.slow)])
def test_amplitude_encoding_is_called_what_it_is(qubits):
    core = QuantumCore(qubits, 1, positional=False)
    backend = open_backend("noisy:fake_torino", optimization_level=0, layout_trials=1)
    network = core.layer.neural_network
    compiled = backend.compile(network.circuit, "Z" * qubits)
    said = " ".join(advice(network.circuit, compiled))
    assert f"{2**qubits - 2:,} CX" in said
    assert "mostly noise" in said
    fitting = largest_encoding(network.circuit, compiled)
    assert 3 <= fitting < 8
    assert f"at most {fitting} qubits" in said


def test_the_extrapolated_size_is_about_right():
    """Blocks of that size really keep the success probability, those two qubits larger do not."""
    backend = open_backend("noisy:fake_torino", optimization_level=0)

    def compiled(qubits):
        network = QuantumCore(qubits, 1, positional=False).layer.neural_network
        return network.circuit, backend.compile(network.circuit, "Z" * qubits)

    fitting = largest_encoding(*compiled(8))
    assert compiled(fitting)[1].success_probability > 0.4
    assert compiled(fitting + 2)[1].success_probability < 0.5


def test_advice_without_an_encoding_is_not_about_one():
    circuit = QuantumCircuit(5)
    for _ in range(40):
        circuit.cx(range(4), range(1, 5))
        circuit.rx(0.1, range(5))
    compiled = open_backend("noisy:fake_manila").compile(circuit, "ZZZZZ")
    said = " ".join(advice(circuit, compiled))
    assert "fewer qubits or layers" in said
    assert "encoding" not in said
    assert advice(QuantumCircuit(1), open_backend("aer").compile(QuantumCircuit(1), "Z")) == []


def test_a_layer_is_rehearsed_with_its_own_inputs():
    core = QuantumCore(2, 1, positional=False)
    backend = open_backend("noisy:fake_manila", shots=10)
    rows = np.zeros((5, 3), dtype=np.float32)
    rows[3:] = 0.5
    import torch

    report = backend.preflight(core.layer, torch.as_tensor(rows), mitigations=["none"])
    assert (report.rows, report.levels[0].executions) == (2, 20)  # equal rows are sent once
    again = backend.preflight(
        core.layer, lambda: [core.layer(torch.as_tensor(rows)) for _ in range(3)]
    )
    assert (again.calls, again.rows) == (3, 6)


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
