"""A study of optimisers: what is counted is what a machine is asked, and what is said is so."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.optimisers import objective as objectives
from qvlm_qiskit.studies.optimisers.cells import Cell, checkpoints, held, train_cell
from qvlm_qiskit.studies.optimisers.objective import SHARPNESS, BudgetSpent, Objective
from qvlm_qiskit.studies.optimisers.options import OPTIMISERS, OptimiserOptions
from qvlm_qiskit.studies.optimisers.problem import Problem, classifier, load_problem
from qvlm_qiskit.studies.optimisers.study import OptimiserStudy
from qvlm_qiskit.studies.optimisers.summary import chosen, summarise
from qvlm_qiskit.studies.optimisers.ways import WAYS, minimise

OPTIONS = OptimiserOptions(
    data=("wine",), optimisers=("spsa", "adam"), circuits=2000, samples=10, batch_size=4,
    repetitions=1, seeds=2, tuning_seeds=1,
)  # fmt: skip
ANGLES = 20
START = np.random.default_rng(3).uniform(-3, 3, ANGLES)


@pytest.fixture(scope="module")
def problem():
    return load_problem("wine", 10, 0)


class Counting(TorchEstimator):
    """Counts the rows that it is asked."""

    rows = 0

    def run(self, pubs, *, precision=None):
        for _, _, bindings in pubs:
            self.rows += int(np.prod(bindings.shape))
        return super().run(pubs, precision=precision)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_circuits_are_the_rows_that_a_machine_is_asked(name, problem, monkeypatch):
    machine = Counting(default_precision=0.03, seed=0)
    monkeypatch.setattr(objectives, "open_backend", lambda *_, **__: machine)
    batch = 4 if WAYS[name].batch else None
    found = Objective(
        problem, replace(OPTIONS, optimisers=(name,), against=name, shots=1000), 0, batch
    )
    minimise(name, found, START, WAYS[name].steps[0])
    assert found.spent == machine.rows
    assert 0 < found.spent <= found.budget == 2000
    assert len(found.trail) > 1


def state_of(point, weights):
    """Of Qiskit, with each angle by its name."""
    circuit = classifier(1)
    values = {f"x[{i}]": x for i, x in enumerate(point)}
    values |= {f"w[{i}]": w for i, w in enumerate(weights)}
    return Statevector(circuit.assign_parameters({p: values[p.name] for p in circuit.parameters}))


def slow_loss(problem: Problem, weights):
    """The same loss from these states, one point after the other."""
    parity = SparsePauliOp("ZZZZZ")
    read = [state_of(point, weights).expectation_value(parity).real for point in problem.train]
    return float(np.mean(np.log1p(np.exp(-SHARPNESS * problem.train_signs * np.array(read)))))


def test_losses_gradients_and_fidelities_are_those_of_the_states(problem):
    asked = Objective(problem, OPTIONS, 0)
    value, slope = asked.gradient(START)
    assert asked.losses(START) == pytest.approx(value) == pytest.approx(slow_loss(problem, START))
    for number in (0, 7, 13):
        shift = 1e-5 * np.eye(ANGLES)[number]
        numeric = (slow_loss(problem, START + shift) - slow_loss(problem, START - shift)) / 2e-5
        assert slope[number] == pytest.approx(numeric, abs=1e-6)
    other = START + 0.3
    pairs = [abs(state_of(x, START).inner(state_of(x, other))) ** 2 for x in problem.train]
    found = asked.fidelities([START, START], [other, START])
    np.testing.assert_allclose(found, [np.mean(pairs), 1.0], atol=1e-6)


def test_the_last_rotations_about_z_do_nothing(problem):
    _, slope = Objective(problem, OPTIONS, 0).gradient(START)
    np.testing.assert_allclose(slope[-5:], 0.0, atol=1e-7)
    assert (abs(slope[:-5]) > 1e-6).all()


def test_shifting_a_loss_is_not_its_gradient(problem):
    moved = {}
    for name in ("aqgd", "aqgd-chain"):
        asked = Objective(problem, OPTIONS, 0)
        minimise(name, asked, START, 1.0)
        first, second = (weights for _, weights in asked.trail[1:3])
        np.testing.assert_array_equal(first, START)
        moved[name] = (START - second) / 0.75  # momentum of 0.25
    _, slope = Objective(problem, OPTIONS, 0).gradient(START)
    np.testing.assert_allclose(moved["aqgd-chain"], slope, atol=1e-6)
    assert np.linalg.norm(moved["aqgd"] - slope) > 0.1 * np.linalg.norm(slope)


def test_what_can_not_be_paid_is_not_answered(problem):
    asked = Objective(problem, OPTIONS, 0)
    for _ in range(4):
        asked.gradient(START)
    assert asked.spent == 4 * 10 * (2 * ANGLES + 1)
    with pytest.raises(BudgetSpent):
        asked.gradient(START)
    assert asked.spent == 4 * 10 * (2 * ANGLES + 1)


def test_batches_and_shots_follow_the_seed(problem):
    shots = replace(OPTIONS, shots=100)
    one, same, other = (Objective(problem, shots, seed, 4).losses(START) for seed in (5, 5, 6))
    assert one == same != other


def test_what_was_held_within_a_budget():
    trail = [(0, np.zeros(1)), (10, np.ones(1)), (25, 2 * np.ones(1))]
    assert [held(trail, spent)[1][0] for spent in (0, 9, 10, 24, 25, 99)] == [0, 0, 1, 1, 2, 2]
    assert checkpoints(100_000)[0] == 100 and checkpoints(100_000)[-1] == 100_000
    assert {1000, 10_000} < set(checkpoints(100_000))


def row(optimiser, step, seed, losses):
    curve = {"circuits": [1] * 13, "loss": losses, "correct": [40] * 13}
    return {
        "data": "wine", "optimiser": optimiser, "step": step, "seed": seed, "spent": 1,
        "iterates": 1, "loss": losses[-1], "correct": 40, "total": 50, "linear_correct": 45,
        "curve": curve,
    }  # fmt: skip


def test_step_sizes_are_chosen_by_seeds_that_are_not_reported():
    rows = [row("adam", 0.1, seed, [0.5] * 13) for seed in (0, 1, 1000)]
    for step, tuned, told in ((0.3, 0.2, 0.4), (1.0, 0.3, 0.1)):
        rows += [row("spsa", step, seed, [0.9] * 12 + [told + seed / 100]) for seed in (0, 1)]
        rows.append(row("spsa", step, 1000, [tuned] * 13))
    assert chosen(rows) == {("wine", "adam"): 0.1, ("wine", "spsa"): 0.3}
    found = summarise(rows, "adam")
    spsa = next(one for one in found["points"] if one["optimiser"] == "spsa")
    first, _, last = spsa["budgets"]
    assert first["loss"]["mean"] == 0.9 and first["says"] == "worse"
    assert last["loss"]["mean"] == pytest.approx(0.405)
    assert last["difference"]["loss"]["mean"] == pytest.approx(-0.095)
    assert last["accuracy"]["mean"] == 0.8 and last["says"] == "better"
    assert found["linear"]["wine"]["mean"] == pytest.approx(0.9)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return OptimiserStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "optimisers")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_a_study_trains_and_says_so(study, results):
    assert len(results["rows"]) == 2 * 4 * 3
    adam = [one for one in results["rows"] if (one["optimiser"], one["step"]) == ("adam", 0.1)]
    assert all(one["curve"]["loss"][-1] < one["curve"]["loss"][0] for one in adam)
    again = train_cell(Cell("wine", "spsa", 0.3, 1), OPTIONS)
    same = [one for one in results["rows"] if study.key(Cell("wine", "spsa", 0.3, 1)) == one["key"]]
    assert same[0]["curve"] == again["curve"]


def test_page_and_tables(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "Wine" in page and "<svg" in page and "What a step costs" in page
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(one[i].lstrip(">")) for one in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"optimisers": ("adamm",)}, UnknownNameError, "did you mean 'adam'"),
        ({"data": ("reviews",)}, UnknownNameError, "unknown data set of this study 'reviews'"),
        ({"against": "cobyla"}, UnknownNameError, "optimiser to compare with"),
        ({"data": ("wine,wine",)}, InputError, "distinct"),
        ({"circuits": 409}, InputError, "at least 410, one gradient"),
        ({"samples": 151}, InputError, "from 10 to 150 with wine"),
        ({"batch_size": 11}, InputError, "from 1 to 10"),
        ({"shots": 0}, InputError, "shots must be at least 1"),
        ({"seeds": 0}, InputError, "seeds must be at least 1"),
    ],
)  # fmt: skip
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)


def test_quick_is_small_whatever_is_asked():
    quick = OptimiserOptions(quick=True, seeds=50)
    assert (quick.seeds, quick.samples, quick.circuits) == (2, 64, 50_000)
    assert quick.least < quick.circuits
