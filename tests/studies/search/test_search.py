"""A whole study of circuit search, as small as it can be, with its tasks and its encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from qiskit.quantum_info import Operator, Statevector

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.search import cells
from qvlm_qiskit.studies.search.circuits import KINDS, circuit_of, graphs_of, random_plans
from qvlm_qiskit.studies.search.options import TASKS, SearchOptions
from qvlm_qiskit.studies.search.representation import embeddings, make_encoder, train_encoder
from qvlm_qiskit.studies.search.study import SearchStudy
from qvlm_qiskit.studies.search.tasks import matrix_of, value_of
from tests.studies.sectioned import check_report

OPTIONS = SearchOptions(
    tasks=("fidelity", "vqe"), qubits=2, gates=3, depth=3, pool=20, training=20, epochs=1,
    encoders=1, budget=18, seeds=2, iterations=2,
)  # fmt: skip
PLANS = random_plans(3, 5, 4, 30, 0)
GRAPHS = graphs_of(PLANS, 3)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return SearchStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "search")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


@pytest.mark.parametrize("task", TASKS)
def test_the_best_state_of_a_task_has_one(task):
    matrix = matrix_of(task, 3, 5, 4)
    assert np.allclose(matrix, matrix.conj().T)
    assert np.linalg.eigvalsh(matrix)[-1] == pytest.approx(1)


def test_a_cut_counts_the_weights_between_both_sides():
    matrix = matrix_of("maxcut", 2, 5, 4)
    assert np.allclose(matrix.diagonal(), [0, 1, 1, 0])


def test_training_finds_what_a_circuit_can_do():
    """RY reaches every real state of one qubit, and so the ground state of ZZ and X in part."""
    z = -Operator.from_label("Z").data
    assert value_of((("ry", (0,)),), 1, z, 30, 0) == pytest.approx(1, abs=1e-3)
    assert value_of((("rz", (0,)),), 1, z, 30, 0) == pytest.approx(-1)
    assert value_of((("x", (0,)),), 1, z, 30, 0) == pytest.approx(1)


def test_a_value_is_a_mean_of_the_matrix():
    plan, matrix = PLANS[0], matrix_of("vqe", 3, 5, 4)
    found = value_of(plan, 3, matrix, 1, 4)
    circuit = circuit_of(plan, 3)
    rng = np.random.default_rng([4, circuit.num_parameters])
    rows = rng.uniform(-np.pi, np.pi, (2, circuit.num_parameters))
    begun = [
        Statevector(circuit.assign_parameters(row)).expectation_value(Operator(matrix)).real
        for row in rows
    ]
    assert found >= max(begun) - 1e-9


def test_an_encoder_does_not_see_how_nodes_are_numbered():
    net = make_encoder(GRAPHS.features.shape[-1], 0).eval()
    features, edges = torch.from_numpy(GRAPHS.features[:1]), torch.from_numpy(GRAPHS.edges[:1])
    order = torch.randperm(features.shape[1], generator=torch.Generator().manual_seed(0))
    mean, _ = net.encode(features, edges)
    other, _ = net.encode(features[:, order], edges[:, order][:, :, order])
    assert torch.allclose(mean[:, order], other, atol=1e-5)
    assert torch.allclose(mean.mean(1), other.mean(1), atol=1e-5)


def own_kinds(net):
    """The share of nodes whose kind is reconstructed."""
    features, edges = torch.from_numpy(GRAPHS.features), torch.from_numpy(GRAPHS.edges)
    with torch.no_grad():
        kinds, _ = net.decode(net.encode(features, edges)[0])
    right = kinds[..., : len(KINDS)].argmax(-1) == features[..., : len(KINDS)].argmax(-1)
    return float(right.float().mean())


def test_training_makes_reconstruction_better():
    torch.manual_seed(0)
    untrained = make_encoder(GRAPHS.features.shape[-1], 0).eval()
    features, edges = torch.from_numpy(GRAPHS.features), torch.from_numpy(GRAPHS.edges)
    trained, share = train_encoder(GRAPHS, 60, 0)
    with torch.no_grad():
        before, after = (float(net.loss(features, edges)) for net in (untrained, trained))
    assert after < before / 2 and 0 <= share <= 1
    assert own_kinds(trained) > 2 * own_kinds(untrained)
    points = embeddings(trained, GRAPHS)
    assert points.shape == (30, 16) and np.allclose(points.mean(0), 0, atol=1e-6)
    again, _ = train_encoder(GRAPHS, 60, 0)
    assert np.allclose(points, embeddings(again, GRAPHS))


def test_every_search_asks_in_the_same_table(results):
    assert len(results["rows"]) == 2 * 5 * 2
    assert len({(row["best"], row["median"]) for row in results["rows"]}) == 2
    for row in results["rows"]:
        regrets = list(row["regret"].values())
        assert regrets == sorted(regrets, reverse=True) and regrets[-1] >= 0
        assert (row["rank"] == 0) == (regrets[-1] == 0)


def test_the_table_is_that_of_the_tasks(study, results):
    values = cells._read(cells.Part("values-vqe").path(study.folder))["values"]
    matrix = matrix_of("vqe", 2, 3, 3)
    plan = cells.plans(OPTIONS)[7]
    assert values[7] == pytest.approx(value_of(plan, 2, matrix, 2, 7))
    assert results["rows"][-1]["best"] == max(values)


def test_a_row_can_be_computed_again_and_parts_stay(study, results):
    assert study.missing_models() == []
    cell = study.cells()[-1]
    row = results["rows"][-1]
    again = cells.compute(cell, OPTIONS, study.folder)
    assert again == {name: row[name] for name in again}


def test_page_and_tables_say_it(study, results):
    check_report(study, results)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"tasks": ("maxcuts",)}, UnknownNameError, "did you mean 'maxcut'"),
        ({"budget": 30}, InputError, "budget must be at most the pool, 20, got 30"),
        ({"gates": 7}, InputError, "gates must be at most qubits × depth, 6, got 7"),
        ({"qubits": 9}, InputError, "qubits must be at most 8"),
    ],
)
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)
