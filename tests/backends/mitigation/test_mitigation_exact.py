"""A promise across all techniques: no noise changes nothing, and noise gets less.

Tests no single module. Most have infinitely many shots, so that every difference is theirs.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation import (
    CliffordRegressed,
    ErrorCancelled,
    LearnedExtrapolation,
    PauliTwirled,
    ZeroNoiseExtrapolated,
)
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import build
from tests.backends.mitigation.circuits import NOISE, SILENT, TARGET, rms, stacked

TECHNIQUES = [
    "zne",
    "zne(factory=richardson)",
    "zne(factory=quadratic)",
    "zne(factory=exp)",
    "zne(scales=1,3)",
    pytest.param("learned-zne", marks=pytest.mark.slow),
    "cdr",
    "pec(samples=500)",
    "pec(model=learned)",
    "pea",
    "twirling(randomizations=4)",
    "twirling(randomizations=4)+zne",
]


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
        pytest.param("learned-zne", 0.4, marks=pytest.mark.slow),
        ("cdr", 0.5),
        pytest.param("pec(samples=500)", 0.35, marks=pytest.mark.slow),
        pytest.param("pec(model=learned,samples=500)", 0.5, marks=pytest.mark.slow),
        pytest.param("pea(samples=300)", 0.5, marks=pytest.mark.slow),
        ("twirling(randomizations=4)+zne", 0.5),
    ],
)
def test_depolarizing_errors_shrink(mitigation, factor, problem, exact_device):
    pub, expected = problem
    raw = stacked("none", exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    found = stacked(mitigation, exact_device(build(NOISE))).run([pub]).result()[0].data.evs
    assert rms(raw - expected) > 0.02
    assert rms(found - expected) < factor * rms(raw - expected)


def test_the_identity_is_its_own_value(exact_device, problem):
    (circuit, _, values), _ = problem
    for mitigation in ("cdr", "pec", "zne(factory=exp)"):
        found = stacked(mitigation, exact_device(build(NOISE))).run(
            [(circuit, [["III"], ["ZII"]], values)]
        )
        np.testing.assert_allclose(found.result()[0].data.evs[0], 1.0, atol=1e-9)


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noisy:fake_lagos", "fake_lagos"])
def test_both_techniques_together_come_closer(name, make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (8,))
    observables = [["ZII"], ["IZI"], ["IIZ"], ["ZZZ"]]
    expected = exact(circuit, observables, values)
    errors = {}
    for mitigation in ("none", "readout+zne"):
        backend = open_backend(name, shots=10_000, seed=3, mitigation=mitigation)
        result = backend.estimator().run([(circuit, observables, values)]).result()[0]
        errors[mitigation] = np.sqrt(np.mean((result.data.evs - expected) ** 2))
    assert errors["readout+zne"] < 0.7 * errors["none"]
    assert result.metadata["technique"].endswith("readout+zne")
    assert result.metadata["executions"] == 3 * 8 * 10_000
