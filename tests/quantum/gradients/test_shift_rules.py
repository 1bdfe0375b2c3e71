"""The rules: exact for their frequencies, and of every gate."""

import numpy as np
import pytest
from qiskit.circuit.library import (
    get_standard_gate_name_mapping,
)
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit.quantum.gradients.shift_rules import (
    AXIS,
    FOUR_TERM,
    RULES,
    TWO_TERM,
    equidistant_rule,
)
from qvlm_qiskit.quantum.gradients.shift_template import build_template
from tests.quantum.gradients.three_qubits import OBSERVABLES, P, gradients, scrambled


@pytest.mark.parametrize("rule", [TWO_TERM, FOUR_TERM, AXIS, equidistant_rule(3, 2.0)])
def test_rules_are_exact_for_their_frequencies(rule):
    count, spacing = {
        TWO_TERM: (1, 1.0),
        FOUR_TERM: (2, 0.5),
        AXIS: (2, 1.0),
    }.get(rule, (3, 2.0))
    frequencies = spacing * np.arange(1, count + 1)
    phases = np.linspace(0.1, 1.0, count)
    f = lambda x: 0.3 + np.cos(frequencies * x + phases).sum()  # noqa: E731
    x = 0.77
    got = sum(
        c * (f(x + s) - f(x - s)) for s, c in zip(rule.shifts, rule.coefficients, strict=True)
    )
    np.testing.assert_allclose(got, -(frequencies * np.sin(frequencies * x + phases)).sum())


def test_the_two_and_four_term_rules_are_the_published_ones():
    assert TWO_TERM.shifts == (np.pi / 2,)
    np.testing.assert_allclose(TWO_TERM.coefficients, [0.5])
    np.testing.assert_allclose(FOUR_TERM.shifts, [np.pi / 2, 3 * np.pi / 2])
    root = np.sqrt(2)
    np.testing.assert_allclose(
        FOUR_TERM.coefficients, [(root + 1) / (4 * root), (1 - root) / (4 * root)]
    )


@pytest.mark.parametrize("name", RULES)
def test_every_rule_fits_its_gate(name, twin_jacobian):
    gate = get_standard_gate_name_mapping().get(name)
    if gate is None:
        import qiskit.circuit.library as library

        kind = getattr(library, f"{name.upper()}Gate")
        gate = kind(*P[: len(RULES[name])])
    kind, size = type(gate), len(RULES[name])
    assert len(gate.params) == size
    circuit = scrambled(lambda c: c.append(kind(*P[:size]), list(range(gate.num_qubits))))
    values = np.random.default_rng(3).uniform(-3, 3, (2, size))
    got = gradients(circuit, values)
    for i, row in enumerate(values):
        np.testing.assert_allclose(got[:, i], twin_jacobian(circuit, OBSERVABLES, row), atol=1e-6)
    template = build_template(circuit)
    assert template.rules == list(RULES[name])
    if name[0] != "c" or name == "cu":
        assert [item.name for item in template.circuit.data] == ["unitary", name, "unitary"]
    aer = gradients(circuit, values, AerEstimator())
    np.testing.assert_allclose(aer, got, atol=1e-8)
