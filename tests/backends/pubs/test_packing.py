"""Pubs side by side on one device, against each of them alone."""

import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.packing import bundles, merged, shares


def on(qubits, width, rows, seed=0, precision=0.1, layers=1, phase=False):
    """A pub of the shape (2, rows) on two qubits of a device."""
    circuit = QuantumCircuit(width)
    angle = Parameter("a")
    for _ in range(layers):
        circuit.rx(angle, qubits[0])
        circuit.barrier(qubits)
        circuit.cz(*qubits)
        circuit.ry(2 * Parameter("b") + 0.1, qubits[1]) if _ == 0 else None
    if phase:
        circuit.global_phase = 3 * angle
    letters = [["I"] * width for _ in range(2)]
    letters[0][width - 1 - qubits[0]] = "Z"
    letters[1][width - 1 - qubits[1]] = "Y"
    observables = [["".join(one)] for one in letters]
    values = np.random.default_rng(seed).uniform(-3, 3, (rows, 2))
    return EstimatorPub.coerce((circuit, observables, values, precision))


def alone(pub):
    return StatevectorEstimator().run(
        [(pub.circuit, pub.observables, pub.parameter_values)]
    ).result()[0].data.evs  # fmt: skip


def test_a_merged_pub_answers_what_its_members_ask():
    members = [on((0, 1), 6, 4, 1), on((3, 2), 6, 3, 2, phase=True), on((5, 4), 6, 1, 3)]
    pub = merged(members)
    assert pub.shape == (6, 4)
    assert active_qubits(pub.circuit, pub.observables) == tuple(range(6))
    assert pub.precision == 0.1
    whole = alone(pub)
    own = shares(members, whole, 2 * whole, {"circuits": 7, "executions": 700, "shots": 100})
    for member, share in zip(members, own, strict=True):
        np.testing.assert_allclose(share.evs, alone(member), atol=1e-12)
        np.testing.assert_allclose(share.stds, 2 * share.evs)
        assert share.metadata["shots"] == 100
    assert sum(share.metadata["executions"] for share in own) == 700
    assert sum(share.metadata["circuits"] for share in own) == 7
    assert own[0].metadata["executions"] > own[1].metadata["executions"]


def test_the_layers_of_members_coincide():
    members = [on((0, 1), 4, 2, layers=3), on((2, 3), 4, 2, layers=3)]
    assert merged(members).circuit.depth() == members[0].circuit.depth()
    assert merged(members[:1]) is members[0]
    # the Runtime client gives up when equal text means other parameters too often
    assert merged(members).circuit == merged(members).circuit


def test_circuits_without_parameters_are_merged_too():
    one, other = QuantumCircuit(4), QuantumCircuit(4)
    one.x(0)
    pubs = [
        EstimatorPub.coerce((one, [["IIIZ"]], np.zeros((1, 0)), 0.1)),
        EstimatorPub.coerce((other, [["ZIII"]], np.zeros((1, 0)), 0.1)),
    ]
    np.testing.assert_allclose(alone(merged(pubs)), [[-1.0], [1.0]], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_bundles_hold_each_pub_once_on_qubits_apart_in_kind(seed):
    rng = np.random.default_rng(seed)
    pubs = [
        on(
            tuple(int(q) for q in rng.choice(10, 2, replace=False)),
            10,
            int(rng.integers(1, 5)),
            precision=float(rng.choice([0.1, 0.2])),
            layers=int(rng.integers(1, 3)),
        )
        for _ in range(12)
    ]
    reach = {q: {q - 1, q, q + 1} for q in range(10)}
    found = bundles(pubs, reach)
    assert sorted(itertools.chain(*found)) == list(range(12))
    assert len(found) < 12
    for members in found:
        rows = [pubs[i].parameter_values.size for i in members]
        assert rows[0] == max(rows)
        for i, j in itertools.combinations(members, 2):
            a, b = (active_qubits(pubs[n].circuit, pubs[n].observables) for n in (i, j))
            assert min(abs(p - q) for p in a for q in b) > 1
            assert pubs[i].precision == pubs[j].precision
            gates = [pubs[n].circuit.count_ops()["cz"] for n in (i, j)]
            assert gates[0] == gates[1]


def test_without_reach_only_the_qubits_themselves_are_kept_apart():
    pubs = [on((0, 1), 4, 1), on((2, 3), 4, 1), on((1, 2), 4, 1)]
    assert bundles(pubs) == [(0, 1), (2,)]
    assert len(bundles(pubs, {q: {q - 1, q, q + 1} for q in range(4)})) == 3
