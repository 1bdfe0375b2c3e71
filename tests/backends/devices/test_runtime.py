"""The Runtime client in local mode on reduced fake devices."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import Compiled, Compiler, open_backend
from qvlm_qiskit.backends.devices.runtime import HardwareEstimator
from qvlm_qiskit.errors import BackendError


@pytest.mark.parametrize("level", [0, 1])
def test_resilience_levels_really_run(level, make_circuit, values_for, exact):
    circuit = make_circuit()
    values = values_for(circuit, (4,))
    observables = [["ZII"], ["IZI"], ["IIZ"]]
    backend = open_backend("fake_manila", shots=4000, seed=2, mitigation=f"resilience-{level}")
    result = backend.estimator().run([(circuit, observables, values)]).result()[0]
    expected = exact(circuit, observables, values)
    error = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert error < 0.12
    metadata = result.metadata
    assert metadata["technique"] == f"resilience-{level}"
    # Level 1 splits the shots over randomisations and rounds up.
    assert metadata["executions"] >= 4 * 4000
    assert ("calibration_executions_of_job" in metadata) == (level == 1)


def test_level_one_removes_readout_error():
    circuit = QuantumCircuit(3)
    circuit.x(range(3))
    errors = []
    for level in (0, 1):
        backend = open_backend("fake_lagos", shots=20_000, seed=1, mitigation=f"resilience-{level}")
        evs = backend.estimator().run([(circuit, ["ZZZ"])]).result()[0].data.evs
        errors.append(abs(float(evs[0]) + 1))
    assert errors[1] < 0.4 * errors[0]


def test_level_two_runs(make_circuit, values_for):
    circuit = make_circuit()
    backend = open_backend("fake_manila", shots=1000, seed=1, mitigation="resilience-2")
    result = backend.estimator().run([(circuit, "ZII", values_for(circuit))]).result()[0]
    assert np.isfinite(result.data.evs)


def test_pubs_with_other_qubits_or_precisions_run_in_their_order():
    backend = open_backend("fake_manila", shots=2000, seed=1)
    one, two = QuantumCircuit(2), QuantumCircuit(1)
    one.x(0)
    pubs = [(one, "IZ"), (two, "Z"), (one, "IZ", None, 0.05)]
    evs = [float(result.data.evs) for result in backend.estimator().run(pubs).result()]
    assert evs == pytest.approx([-1, 1, -1], abs=0.15)


def test_simulators_agree_on_the_noise(make_circuit, values_for):
    """The client on the fake device, and our sampling with the noise of its calibration."""
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (6,))
    observables = [["ZII"], ["IZI"], ["IIX"]]
    results = [
        open_backend(name, shots=20_000, seed=3)
        .estimator()
        .run([(circuit, observables, values)])
        .result()[0]
        .data
        for name in ("fake_lagos", "noisy:fake_lagos")
    ]
    assert np.abs(results[0].evs - results[1].evs).max() < 0.05
    np.testing.assert_allclose(results[0].stds, results[1].stds, rtol=0.1, atol=1e-3)


def test_the_hardware_estimator_is_the_plain_client(make_circuit, values_for, exact):
    """A small fake device in the machine's place: the client then runs in its local mode."""
    circuit = make_circuit()
    values = values_for(circuit, (3,))
    machine = FakeManilaV2()
    compiler = Compiler(machine.target, 1)
    estimator = Compiled(HardwareEstimator(machine, 1), compiler, default_precision=0.03)
    result = estimator.run([(circuit, [["ZII"], ["IIX"]], values)]).result()[0]
    assert np.abs(result.data.evs - exact(circuit, [["ZII"], ["IIX"]], values)).max() < 0.25
    assert result.metadata["technique"] == "resilience-1"
    assert result.metadata["compiled"]["two_qubit_gates"] >= 2


def test_one_hardware_job_has_one_precision():
    circuit = QuantumCircuit(1)
    pubs = [(circuit, "Z", None, 0.1), (circuit, "Z", None, 0.2)]
    with pytest.raises(BackendError, match="one precision"):
        HardwareEstimator(machine=None).run(pubs)


@pytest.mark.parametrize(
    ("mitigation", "option", "value"),
    [
        ("twirling(randomizations=7)", ("twirling", "num_randomizations"), 7),
        ("twirling", ("twirling", "enable_gates"), True),
        ("dd(sequence=XY4)", ("dynamical_decoupling", "sequence_type"), "XY4"),
        ("resilience-1+dd", ("dynamical_decoupling", "enable"), True),
        ("resilience-2+twirling", ("twirling", "num_randomizations"), 32),
    ],
)
def test_techniques_of_the_runtime_are_the_clients_options(
    mitigation, option, value, monkeypatch, make_circuit, values_for
):
    """What the client is given, and that its answer says so."""
    from qvlm_qiskit.backends.devices import runtime

    seen = []

    class Watched(runtime.Estimator):
        def run(self, pubs, **options):
            seen.append(self.options)
            return super().run(pubs, **options)

    monkeypatch.setattr(runtime, "Estimator", Watched)
    circuit = make_circuit()
    backend = open_backend("fake_manila", shots=112, seed=1, mitigation=mitigation)
    result = backend.estimator().run([(circuit, "ZII", values_for(circuit))]).result()[0]
    (options,) = seen
    assert getattr(getattr(options, option[0]), option[1]) == value
    assert options.resilience_level == (int(mitigation[11]) if "resilience" in mitigation else 0)
    words = [step.partition("(")[0] for step in mitigation.split("+")]
    assert all(word in result.metadata["technique"] for word in words)
    assert np.isfinite(result.data.evs)


@pytest.mark.slow
def test_our_wrappers_run_on_top_of_the_clients_options(make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (3,))
    observables = [["ZII"], ["IZI"], ["ZZZ"]]
    expected = exact(circuit, observables, values)
    errors = {}
    for mitigation in ("none", "readout+cdr(circuits=8)+twirling(randomizations=4)", "pec"):
        backend = open_backend("fake_lagos", shots=4000, seed=2, mitigation=mitigation)
        result = backend.estimator().run([(circuit, observables, values)]).result()[0]
        errors[mitigation] = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert errors["readout+cdr(circuits=8)+twirling(randomizations=4)"] < 0.6 * errors["none"]
    assert errors["pec"] < errors["none"]


@pytest.mark.slow
def test_wrappers_run_in_front_of_the_hardware_estimator(make_circuit, values_for, exact):
    """One precision per job also where a technique trains and calibrates."""
    from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers
    from qvlm_qiskit.backends.mitigation.names import parse_mitigation

    circuit = make_circuit()
    machine = FakeManilaV2()
    device = MitigatedDevice(machine.target)
    for mitigation in ("readout+zne", "cdr(circuits=6)"):
        estimator = HardwareEstimator(machine)
        for wrap in mitigation_wrappers(parse_mitigation(mitigation), device):
            estimator = wrap(estimator)
        stack = Compiled(estimator, Compiler(machine.target, 1), default_precision=0.03)
        pub = (circuit, [["ZII"], ["IIZ"]], values_for(circuit, (3,)))
        found = stack.run([pub]).result()[0].data.evs
        assert np.abs(found - exact(*pub)).max() < 0.25


@pytest.mark.slow
def test_one_process_runs_any_number_of_equal_circuits(make_circuit):
    """The client's names for boxes run out at the 14th circuit whose parameters were made anew."""
    asked = [["ZII"], ["IZI"]]
    executions = set()
    for seed in range(16):
        backend = open_backend("fake_manila", shots=10, seed=seed, optimization_level=0)
        report = backend.preflight({"c": (make_circuit(), asked)}, mitigations=["cdr"])
        executions.add(report.levels[0].executions)
    assert len(executions) == 1
