"""Training circuits near Clifford ones, and their exact values."""

import numpy as np
import pytest
from qiskit import transpile
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends.mitigation import near_clifford as module
from qvlm_qiskit.backends.mitigation.near_clifford import NearClifford, exact_values
from qvlm_qiskit.errors import MitigationError


def near(circuit, observables, values, count=12, keep=0.4, **options):
    pub = EstimatorPub.coerce((circuit, [[o] for o in observables], values))
    return NearClifford("test", count, keep, **options).versions(pub, np.random.default_rng(3))


def test_near_clifford_circuits_keep_some_angles_and_snap_the_others(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    values = values_for(circuit, (3,))
    found = near(circuit, ["ZZI", "IIX"], values, count=200)
    rows = found.template.angles(EstimatorPub.coerce((circuit, "III", values)).parameter_values)
    quarter = np.pi / 2
    free = np.abs(rows / quarter - np.round(rows / quarter)) > 1e-9
    kept = np.isclose(found.angles[:, None], rows[None]).any(axis=1)
    snapped = np.isclose(found.angles / quarter, np.round(found.angles / quarter))
    assert (kept | snapped).all()
    share = 1 - snapped[:, free.all(axis=0)].mean()
    assert share == pytest.approx(0.4, abs=0.05)


def test_exact_values_are_those_of_the_circuits(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    operator = SparsePauliOp(["XYI", "IIZ"], [0.5, -2.0])
    found = near(circuit, ["ZZI", operator], values_for(circuit, (3,)))
    circuits = [found.template.circuit.assign_parameters(row) for row in found.angles]
    expected = StatevectorEstimator().run([(c, ["ZZI", operator]) for c in circuits]).result()
    np.testing.assert_allclose(
        found.exact, np.transpose([r.data.evs for r in expected]), atol=1e-10
    )


def test_clifford_circuits_beyond_statevectors_are_stabilizer_states(
    monkeypatch, make_circuit, values_for
):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    by_engine = near(circuit, ["ZZI", "XYI", "IIZ"], values_for(circuit, (3,)), keep=0.0)
    monkeypatch.setattr(module, "MAX_STATEVECTOR_QUBITS", 2)
    monkeypatch.setattr(module, "_engine", lambda: pytest.fail("the engine was asked"))
    found = exact_values(by_engine.template, by_engine.angles, by_engine.observables, "test")
    np.testing.assert_allclose(found, by_engine.exact, atol=1e-10)
    with pytest.raises(MitigationError, match="keep=0"):
        near(circuit, ["ZZI"], values_for(circuit, (3,)), keep=0.5)


def test_spread_training_circuits_vary_more(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=3), basis_gates=["rz", "sx", "x", "cz"])
    observables = ["ZII", "IZI", "ZZZ"]
    values = values_for(circuit, (3,))
    plain = near(circuit, observables, values, keep=0.1)
    spread = near(circuit, observables, values, keep=0.1, spread=True)
    assert (spread.exact.std(axis=1) > 0.25).all()
    assert (spread.exact.std(axis=1) > plain.exact.std(axis=1)).all()


def test_the_most_varied_are_chosen_one_after_the_other():
    exact = np.random.default_rng(5).normal(size=(3, 40))
    chosen = []

    def gain(column):
        columns = exact[:, [*chosen, column]]
        squares = ((columns - columns.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return np.log(1e-3 + squares).sum()

    for _ in range(12):
        chosen.append(max(set(range(40)) - set(chosen), key=gain))
    assert module._most_varied(exact, 12).tolist() == chosen


def test_the_seed_decides_which_circuits_are_drawn(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=1), basis_gates=["rz", "sx", "x", "cz"])
    pub = EstimatorPub.coerce((circuit, ["ZZI"], values_for(circuit, (2,))))
    draw = NearClifford("test", 6, 0.4)
    none, zero, one = (draw.seeded(pub, seed).angles for seed in (None, 0, 1))
    np.testing.assert_array_equal(none, zero)
    assert not np.array_equal(zero, one)
    assert not np.array_equal(zero, draw.seeded(pub, 0, salt="other").angles)
