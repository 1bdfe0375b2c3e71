"""What the techniques do with infinitely many shots, where every difference is theirs."""

import contextlib

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import RZZGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import Target
from qiskit_aer.noise import NoiseModel, coherent_unitary_error, depolarizing_error

from qvlm_qiskit.backends import Compiled, Compiler
from qvlm_qiskit.backends.mitigation import (
    CliffordRegressed,
    ErrorCancelled,
    LearnedExtrapolation,
    MitigatedDevice,
    PauliTwirled,
    ZeroNoiseExtrapolated,
    mitigation_wrappers,
)
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import build, depolarizing

TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=5)
NOISE = depolarizing(0.02, 0.002)
SILENT = depolarizing(0.0)
OBSERVABLES = [["ZII"], ["IZI"], ["ZZI"], [SparsePauliOp(["XXI", "IZZ", "III"], [0.5, -1.0, 0.3])]]


def stacked(mitigation, device, noise=NOISE, seed=5, level=1):
    """The mitigation on a device, compiled for it."""
    known = MitigatedDevice(TARGET, lambda qubits: noise, seed)
    estimator = device
    for wrap in mitigation_wrappers(parse_mitigation(mitigation), known):
        estimator = wrap(estimator)
    return Compiled(estimator, Compiler(TARGET, level), default_precision=0.05)


@pytest.fixture
def problem(make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (6,), seed=2)
    return (circuit, OBSERVABLES, values), exact(circuit, OBSERVABLES, values)


TECHNIQUES = [
    "zne",
    "zne(factory=richardson)",
    "zne(factory=quadratic)",
    "zne(factory=exp)",
    "zne(scales=1,3)",
    "learned-zne",
    "cdr",
    "pec(samples=500)",
    "twirling(randomizations=4)",
    "twirling(randomizations=4)+zne",
]


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("mitigation", TECHNIQUES)
def test_without_noise_nothing_changes(mitigation, problem, exact_device):
    pub, expected = problem
    found = stacked(mitigation, exact_device(build(SILENT)), SILENT).run([pub]).result()[0].data
    tolerance = 2e-3 if mitigation == "learned-zne" else 1e-9  # a network is fitted, not solved
    np.testing.assert_allclose(found.evs, expected, atol=tolerance)
    assert np.all(found.stds < 2e-3)


@pytest.mark.parametrize(
    ("mitigation", "factor"),
    [
        ("zne", 0.5),
        ("zne(factory=richardson)", 0.35),
        ("zne(factory=exp)", 0.5),
        ("zne(scales=1,3)", 0.5),
        ("learned-zne", 0.4),
        ("cdr", 0.5),
        ("pec(samples=500)", 0.35),
        ("twirling(randomizations=4)+zne", 0.5),
    ],
)
def test_depolarizing_errors_shrink(mitigation, factor, problem, exact_device):
    pub, expected = problem
    raw = stacked("none", exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    found = stacked(mitigation, exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    assert rms(raw - expected) > 0.02
    assert rms(found - expected) < factor * rms(raw - expected)


def test_an_exponential_is_extrapolated_exactly(exact_device):
    """Every cz keeps 1 − p of ZZ: an exponential in the noise factor with asymptote 0."""
    angle = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(angle, 0)
    circuit.cx(0, 1)
    circuit.cx(0, 1)
    noise = depolarizing(0.1, 0.0)
    pub = (circuit, [["IZ"], ["IX"], ["XI"]], [[0.3], [1.1], [2.8]])
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    estimator = ZeroNoiseExtrapolated(exact_device(build(noise)), (1, 3, 5), "exp")
    stack = Compiled(estimator, Compiler(TARGET, 0), default_precision=0.05)
    result = stack.run([pub]).result()[0]
    np.testing.assert_allclose(result.data.evs, expected, atol=1e-6)
    entry = result.metadata["mitigation"][0]
    # ⟨XI⟩ is 0 at every noise: no exponential runs through it
    assert (entry["exponential_values"], entry["linear_values"]) == (6, 3)
    linear = stacked("zne", exact_device(build(noise)), noise, level=0).run([pub])
    assert rms(linear.result()[0].data.evs - expected) > 0.005


def test_coherent_errors_add_up_less_when_twirled(exact_device):
    """Ten cz that over-rotate by the same angle: (Nε)²/2 in a row, Nε²/2 on average."""
    epsilon, count = 0.06, 10
    model = NoiseModel(["rz", "sx", "x", "cz"])
    model.add_all_qubit_quantum_error(coherent_unitary_error(RZZGate(epsilon).to_matrix()), "cz")
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    for _ in range(count):
        circuit.cz(0, 1)
    pub = (circuit, ["XI", "IX", "YI"], None, 0.05)
    expected = StatevectorEstimator().run([pub[:2]]).result()[0].data.evs
    raw = exact_device(model).run([pub]).result()[0].data.evs
    twirled = PauliTwirled(exact_device(model), TARGET, 200, seed=1).run([pub]).result()[0].data
    assert np.abs(raw - expected).max() == pytest.approx(1 - np.cos(count * epsilon), abs=1e-6)
    average = 1 - np.cos(epsilon) ** count
    worst = np.abs(twirled.evs - expected).max()
    assert worst == pytest.approx(average, abs=4 * twirled.stds.max())
    assert worst < 0.4 * np.abs(raw - expected).max()


def test_cancelling_the_stated_noise_is_unbiased(exact_device, problem):
    """The mean over independent seeds is the exact value within its standard error."""
    (circuit, _, values), _ = problem
    pub = (circuit, OBSERVABLES, values[:1])
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    runs = [
        stacked("pec(samples=100)", exact_device(build(NOISE)), seed=seed).run([pub]).result()[0]
        for seed in range(12)
    ]
    evs = np.array([run.data.evs for run in runs])
    stds = np.array([run.data.stds for run in runs])
    deviations = (evs.mean(axis=0) - expected) / np.sqrt((stds**2).mean(axis=0) / len(runs))
    assert np.abs(deviations).max() < 4
    # Σ z² over runs and values; the values of a run are correlated, so the bound is generous.
    chi_square = np.mean(((evs - expected) / stds) ** 2)
    assert 0.6 < chi_square < 1.6


def test_a_wrong_noise_is_not_cancelled(exact_device, problem):
    pub, expected = problem
    right = stacked("pec(samples=300)", exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    guessed = stacked("pec(samples=300)", exact_device(build(NOISE)), depolarizing(0.08))
    wrong = guessed.run([pub]).result()[0].data.evs
    assert rms(wrong - expected) > 3 * rms(right - expected)


def test_zero_noise_extrapolation_of_a_batch_is_one_job_of_three_circuits(
    exact_device, make_circuit, values_for
):
    circuit = make_circuit(layers=2)
    device = exact_device(build(NOISE))
    pub = (circuit, OBSERVABLES, values_for(circuit, (64,)))
    stacked("zne", device).run([pub]).result()
    (job,) = device.jobs_run
    assert len(job) == 3
    assert all(sent.parameter_values.shape == (64,) for sent in job)
    assert len(device.templates) == 3
    again = stacked("zne", device)
    again.run([pub]).result()
    again.run([(circuit, OBSERVABLES, values_for(circuit, (64,), seed=9))]).result()
    assert len(device.jobs_run) == 3
    assert len({id(sent.circuit) for sent in device.jobs_run[1] + device.jobs_run[2]}) == 3


@pytest.mark.parametrize(("mitigation", "pubs"), [("pec", 2), ("cdr", 2), ("learned-zne", 6)])
def test_sampled_and_training_circuits_are_rows_of_templates(
    mitigation, pubs, exact_device, problem
):
    device = exact_device(build(NOISE))
    estimator = stacked(mitigation, device)
    estimator.run([problem[0]]).result()
    assert sum(len(job) for job in device.jobs_run) == len(device.templates) == pubs
    before = len(device.jobs_run)
    estimator.run([problem[0]]).result()
    later = sum(len(job) for job in device.jobs_run[before:])
    assert later == {"pec": 2, "cdr": 1, "learned-zne": 3}[mitigation]  # training is remembered


def test_regression_learns_the_map_of_a_global_channel(exact_device):
    """Depolarising noise on every layer of both qubits is an affine map: learned exactly."""
    angles = ParameterVector("a", 4)
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.sx(qubit)
        circuit.rz(angles[qubit], qubit)
        circuit.sx(qubit)
    circuit.cz(0, 1)
    for qubit in (0, 1):
        circuit.rz(angles[2 + qubit], qubit)
        circuit.sx(qubit)
    model = NoiseModel(["rz", "sx", "x", "cz"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.3, 2), "cz")
    pub = (circuit, [["ZI"], ["IZ"], ["ZZ"]], np.linspace(0, 3, 20).reshape(5, 4), 0.05)
    expected = StatevectorEstimator().run([pub[:3]]).result()[0].data.evs
    result = CliffordRegressed(exact_device(model), 8, 0.3, seed=1).run([pub]).result()[0]
    np.testing.assert_allclose(result.data.evs, expected, atol=1e-9)
    entry = result.metadata["mitigation"][0]
    assert entry["slope"] == pytest.approx([1 / 0.7] * 3)
    assert entry["residual_rms"] == pytest.approx([0] * 3, abs=1e-9)


def test_observables_that_no_training_circuit_moves_are_refused(exact_device):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(0.3, 0)
    circuit.cz(0, 1)
    device = exact_device(build(NOISE))
    with pytest.raises(MitigationError, match="observable 1"):
        CliffordRegressed(device).run([(circuit, ["IX", "ZI"], None, 0.1)])
    assert device.jobs_run == []


def test_the_identity_is_its_own_value(exact_device, problem):
    (circuit, _, values), _ = problem
    for mitigation in ("cdr", "pec", "zne(factory=exp)"):
        found = stacked(mitigation, exact_device(build(NOISE))).run(
            [(circuit, [["III"], ["ZII"]], values)]
        )
        np.testing.assert_allclose(found.result()[0].data.evs[0], 1.0, atol=1e-9)


def test_the_network_reports_its_error_on_circuits_it_has_not_seen(exact_device, problem):
    device = exact_device(build(NOISE))
    result = stacked("learned-zne(circuits=32)", device).run([problem[0]]).result()[0]
    entry = result.metadata["mitigation"][0]
    assert (entry["training_circuits"], entry["held_out_circuits"]) == (32, 8)
    rms_by_method = entry["held_out_rms"]
    assert set(rms_by_method) == {"learned", "linear", "richardson", "none"}
    assert rms_by_method["learned"] < 0.7 * rms_by_method["linear"] < rms_by_method["none"]
    for mode in (contextlib.nullcontext, torch.inference_mode, torch.no_grad):
        with mode():  # models are evaluated without gradients
            again = stacked("learned-zne(circuits=32)", exact_device(build(NOISE))).run(
                [problem[0]]
            )
            np.testing.assert_array_equal(again.result()[0].data.evs, result.data.evs)


def test_too_much_noise_to_cancel_is_refused_before_anything_runs(exact_device, problem):
    device = exact_device(build(NOISE))
    with pytest.raises(MitigationError, match=r"γ² = .* max_overhead is 1\.1"):
        stacked("pec(max_overhead=1.1)", device).run([problem[0]])
    assert device.jobs_run == []


@pytest.mark.parametrize("mitigation", ["pec", "twirling"])
def test_a_pub_without_precision_is_refused(mitigation, exact_device):
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    estimator = stacked(mitigation, exact_device(build(NOISE))).inner
    with pytest.raises(MitigationError, match="needs shots or a precision"):
        estimator.run([(circuit, "ZZ")])


def test_cancellation_without_a_known_noise_is_refused():
    with pytest.raises(MitigationError, match="calibrated or stated noise"):
        mitigation_wrappers(parse_mitigation("pec"), MitigatedDevice(TARGET))


@pytest.mark.parametrize(
    ("gate", "wrapper"),
    [
        ("t", lambda device: ErrorCancelled(device, lambda qubits: NOISE)),
        ("h", lambda device: PauliTwirled(device, TARGET)),
        ("xx_plus_yy", CliffordRegressed),
        ("xx_plus_yy", LearnedExtrapolation),
        ("iswap", ZeroNoiseExtrapolated),
    ],
)
def test_gates_that_a_technique_cannot_treat_are_named(gate, wrapper, exact_device):
    from qiskit.circuit.library import XXPlusYYGate

    circuit = QuantumCircuit(2)
    circuit.rz(0.1, 0)
    if gate == "xx_plus_yy":
        circuit.append(XXPlusYYGate(0.1), [0, 1])
    else:
        getattr(circuit, gate)(*([0] if gate in "th" else [0, 1]))
    device = exact_device(build(NOISE))
    with pytest.raises(MitigationError, match=f"'{gate}'"):
        wrapper(device).run([(circuit, "ZZ", None, 0.1)])
    assert device.jobs_run == []


def test_pairs_of_rows_and_observables_stay_pairs(exact_device, make_circuit, values_for, exact):
    circuit = make_circuit()
    values = values_for(circuit, (2, 3))
    observables = ["ZII", SparsePauliOp(["XII", "IIZ"], [1.0, 2.0]), "IYZ"]
    expected = exact(circuit, observables, values)
    for mitigation in ("zne", "cdr", "learned-zne", "pec(samples=500)", "twirling"):
        device = exact_device(build(SILENT if mitigation == "learned-zne" else NOISE))
        found = stacked(mitigation, device).run([(circuit, observables, values)]).result()[0].data
        assert found.evs.shape == found.stds.shape == (2, 3)
        np.testing.assert_allclose(found.evs, expected, atol=0.08)
