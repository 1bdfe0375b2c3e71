import numpy as np
import pytest

from qvlm_qiskit.studies.kernels.independence import (
    CASES,
    NULL,
    drawn,
    kernel_of,
    random_model,
    rejections,
    skeleton_scores,
)


@pytest.mark.parametrize("case", CASES)
def test_cases_are_what_they_are_called(case):
    """By correlations of squares and products, over many rows and models."""
    strongest = 0.0
    for seed in range(6):
        x, y, z = drawn(case, 20_000, np.random.default_rng(seed))
        if z is not None:  # among rows whose z is nearly the same
            near = np.abs(z - 0.5) < 0.02
            x, y = x[near], y[near]
        features = [np.corrcoef(f(x), g(y))[0, 1] for f in (np.sin, np.square)
                    for g in (np.sin, np.square)]  # fmt: skip
        strongest = max(strongest, *np.abs(features) * np.sqrt(len(x)))
    assert (strongest > 6) == (case not in NULL)


def test_all_kernels_are_given_the_same_tables(monkeypatch):
    given = []

    def remember(x, y, z=None, kernel=None):
        given.append((x, y, z))
        return 1.0

    monkeypatch.setattr("qvlm_qiskit.studies.kernels.independence.independence_pvalue", remember)
    for model in ("gaussian", "havlicek 2 x 0.1"):
        row = rejections("common cause", model, 20, 2, 0)
    assert row["correct"] == 0 and row["total"] == 2 and row["dependent"] is False
    for first, second in zip(given[:2], given[2:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_random_graph_orders_its_causes():
    edges, table = random_model(50, np.random.default_rng(0))
    assert edges.shape == (5, 5) and table.shape == (50, 5)
    assert not (np.linalg.matrix_power(edges.astype(int), 5)).any()  # no circle
    assert edges.any() and not (edges & edges.T).any()


def test_scores_count_joined_pairs():
    truth = np.zeros((3, 3), dtype=bool)
    truth[[0, 1, 1, 2], [1, 0, 2, 1]] = True
    found = np.zeros((3, 3), dtype=bool)
    found[[0, 1, 0, 2], [1, 0, 2, 0]] = True
    assert skeleton_scores(found, truth) == (0.5, 1.0, 1.0)
    assert skeleton_scores(truth, truth) == (1.0, 0.0, 0.0)
    nothing = np.zeros((3, 3), dtype=bool)
    assert skeleton_scores(nothing, nothing) == (1.0, 0.0, 0.0)


def test_names_are_kernels():
    assert kernel_of("gaussian") is None
    assert kernel_of("gaussian x 2").scale == 2.0
    found = kernel_of("resource-efficient 4 x 0.5")
    assert (found.kernel.feature_map, found.kernel.scale) == ("resource-efficient", 0.5)
    assert found.copies == 4
