"""A whole study of starts, as small as it can be, and what it is made of."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.errors import InputError, MissingDependencyError, UnknownNameError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.starts import cells, matrix_products
from qvlm_qiskit.studies.starts.circuits import near_identity, network_start, random_start
from qvlm_qiskit.studies.starts.costs import ground_energy, hamiltonian
from qvlm_qiskit.studies.starts.options import StartsOptions
from qvlm_qiskit.studies.starts.study import StartsStudy
from qvlm_qiskit.studies.starts.summary import summarise
from tests.studies.sectioned import check_report

if find_spec("qiskit_quimb") is None:
    pytest.skip("needs the extra tensor-networks", allow_module_level=True)

OPTIONS = StartsOptions(
    costs=("glass",), qubits=(3, 4), bonds=(2,), seeds=2, draws=2, steps=3, fit=1, staircases=1
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return StartsStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "starts")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


@pytest.fixture(scope="module")
def ground():
    operator = hamiltonian("glass", 5, 1)
    return (operator, *matrix_products.ground_state(operator, 4, 0))


def state_of(start, draw=0):
    found = Statevector(start.circuit.assign_parameters(start.angles[draw]))
    return found.reverse_qargs().data


@pytest.mark.parametrize("cost", ["ising", "glass"])
def test_energies_are_between_the_ground_state_and_one(cost):
    operator = hamiltonian(cost, 6, 0)
    assert np.abs(operator.coeffs).sum() == pytest.approx(1)
    values = np.linalg.eigvalsh(operator.to_matrix())
    assert ground_energy(operator) == pytest.approx(values[0], abs=1e-9)
    assert hamiltonian(cost, 6, 0) == operator != hamiltonian(cost, 6, 1)
    assert ground_energy(hamiltonian(cost, 3, 0)) < 0


def test_the_ground_state_of_full_bond_is_the_exact_one(ground):
    operator, state, energy = ground
    assert energy == pytest.approx(ground_energy(operator), abs=1e-8)
    vector = state.to_dense().ravel()
    labels = [label[::-1] for label in operator.paulis.to_labels()]
    matrix = SparsePauliOp(labels, operator.coeffs).to_matrix()
    assert np.vdot(vector, matrix @ vector).real == pytest.approx(energy, abs=1e-8)


def test_a_state_of_bond_two_is_one_staircase(ground):
    small = ground[1].copy()
    small.compress(max_bond=2)
    small.normalize()
    rngs = [np.random.default_rng(0)]
    start = network_start(small, 1, 1, rngs, 0.0, 0)
    overlap = abs(np.vdot(small.to_dense().ravel(), state_of(start))) ** 2
    assert overlap == pytest.approx(1, abs=1e-9)


def test_more_staircases_and_a_fit_come_closer(ground):
    _, state, _ = ground
    dense = state.to_dense().ravel()

    def infidelity(count, fit):
        start = network_start(state, count, 1, [np.random.default_rng(0)], 0.0, fit)
        return 1 - abs(np.vdot(dense, state_of(start))) ** 2

    one, two, fitted = infidelity(1, 0), infidelity(3, 0), infidelity(3, 4)
    assert one > two > fitted
    assert one < 0.1


def test_all_starts_are_angles_of_one_circuit(ground):
    rngs = [np.random.default_rng(seed) for seed in range(2)]
    made = [
        random_start(5, 3, rngs, None), random_start(5, 3, rngs, 0.01),
        network_start(ground[1], 2, 1, rngs, 0.01, 0),
    ]  # fmt: skip
    shapes = {start.angles.shape for start in made}
    assert len(shapes) == 1
    first, *others = (start.circuit.assign_parameters(made[0].angles[0]) for start in made)
    assert all(Statevector(one).equiv(Statevector(first)) for one in others)
    assert not np.allclose(made[0].angles[0], made[0].angles[1])
    assert abs(state_of(made[1])[0]) > 0.99 > abs(state_of(made[0])[0])


def test_gates_near_the_identity_are_unitary():
    found = near_identity(np.random.default_rng(0), 0.02)
    assert np.allclose(found @ found.conj().T, np.eye(4))
    assert 0.01 < np.linalg.norm(found - np.eye(4)) < 0.5


def test_gradients_are_those_of_differences():
    def cost(angles):
        return torch.sin(angles).prod(dim=-1)

    draw = np.array([0.3, 0.7])
    (square,), (value,) = cells.gradients(cost, draw[None])
    wanted = np.array([np.cos(0.3) * np.sin(0.7), np.sin(0.3) * np.cos(0.7)])
    assert square == pytest.approx((wanted**2).mean())
    assert value == pytest.approx(np.sin(0.3) * np.sin(0.7))


def test_rows_say_what_was_reached(results):
    rows = results["rows"]
    assert len(rows) == 2 * 3 * 2
    for row in rows:
        assert row["final_error"] <= row["curve"]["errors"][0]
        assert row["square"] > 0
        assert (row["network_error"] is None) == (row["start"] != "tensor-network")
    begins = {row["label"]: row["start_error"] for row in rows if row["qubits"] == 4}
    assert begins["network 2"] < begins["random"]


def test_a_row_can_be_computed_again(study, results):
    cell = study.cells()[-1]
    (row,) = [one for one in results["rows"] if one["key"] == study.key(cell)]
    again = cells.compute(cell, OPTIONS)
    assert again == {name: row[name] for name in again}


def test_the_decay_is_that_of_the_means():
    rows = [
        {"cost": "glass", "label": "random", "qubits": n, "seed": seed, "square": (1 + seed) / 2**n,
         "start_error": 1.0, "final_error": 0.5, "network_error": None}
        for n in (4, 6, 8) for seed in (0, 1)
    ]  # fmt: skip
    (decay,) = summarise(rows)["decays"]
    assert decay["mean"] == pytest.approx(0.5)
    assert decay["low"] <= decay["mean"] <= decay["high"]


def test_page_and_tables_say_it(study, results):
    check_report(study, results)


def test_wide_bonds_are_left_out_where_they_can_not_be():
    found = cells.all_cells(replace(OPTIONS, qubits=(4, 6), bonds=(2, 8)))
    assert {(one.qubits, one.bond) for one in found if one.bond} == {(4, 2), (6, 2), (6, 8)}


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"costs": ("isin",)}, UnknownNameError, "did you mean 'ising'"),
        ({"starts": ("random", "random")}, InputError, "starts must be distinct"),
        ({"qubits": (2,)}, InputError, "qubits must be at least 3"),
        ({"qubits": (17,)}, InputError, "qubits must be at most 16"),
        ({"spread": -1.0}, InputError, "spread must be at least 0"),
    ],
)
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)


def test_without_the_extra_it_is_said_before_anything_is_written(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "qiskit_quimb", None)
    study = StartsStudy(OPTIONS, tmp_path / "starts")
    with pytest.raises(MissingDependencyError, match=r"qiskit-quimb.*\[tensor-networks\]"):
        run_study(study)
    assert not (tmp_path / "starts").exists()
