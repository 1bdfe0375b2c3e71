"""The random circuits that cancel a circuit's noise."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends.mitigation.pec_plan import CancellationPlan
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import depolarizing

COUNT = 20_000


def planned(noise, gate="cz"):
    circuit = QuantumCircuit(4)  # qubits 1 and 3 are active
    circuit.sx(1)
    circuit.rz(0.3, 1)
    getattr(circuit, gate)(1, 3)
    circuit.barrier()
    circuit.sx(3)
    return CancellationPlan.of(circuit, (1, 3), noise)


def test_the_noisy_gates_are_found_in_order():
    plan = planned(depolarizing(0.02, 0.01))
    assert plan.noisy == (0, 2, 4)
    assert len(plan.template.expressions) == 1
    assert plan.unchanged == pytest.approx(np.prod(plan.stays))
    assert plan.residual == pytest.approx(0, abs=1e-12)


def test_no_noise_leaves_nothing_to_cancel():
    plan = planned(depolarizing(0.0))
    assert (plan.noisy, plan.gamma, plan.unchanged) == ((), 1.0, 1.0)


def test_the_signs_add_up_to_a_quasi_probability_of_one():
    """γ·(p₀ + (1 − p₀)·mean sign) = 1, since the weights of every inverse add up to 1."""
    plan = planned(depolarizing(0.1, 0.05))
    signs = plan.draw(COUNT, np.random.default_rng(1)).signs
    assert set(np.unique(signs)) == {-1.0, 1.0}
    kept, factor = plan.unchanged, plan.gamma * (1 - plan.unchanged)
    total = plan.gamma * kept + factor * signs.mean()
    assert abs(total - 1) < 5 * factor * signs.std() / np.sqrt(COUNT)


def test_equal_random_numbers_draw_equal_circuits():
    plan = planned(depolarizing(0.1))
    first, again = (plan.draw(50, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.flips, again.flips)


def test_a_gate_that_no_pauli_passes_is_refused():
    with pytest.raises(MitigationError, match="'ch'"):
        planned(depolarizing(0.1), "ch")
