"""Conditional independence and causal discovery with a quantum kernel."""

import sys

import numpy as np
import pytest

from qvlm_qiskit import kernels
from qvlm_qiskit.errors import InputError, MissingDependencyError
from qvlm_qiskit.kernels import CopiedKernel, QuantumKernel, discover, independence_pvalue

KERNEL = CopiedKernel(QuantumKernel("resource-efficient", scale=0.5), copies=2)


@pytest.fixture(scope="module")
def table():
    """Sixty rows of a chain 0 → 1 → 2, and of a variable by itself."""
    noise = np.random.default_rng(1).normal(size=(60, 4))
    x = noise[:, 0]
    y = x + 0.5 * noise[:, 1]
    return np.stack([x, y, y + 0.5 * noise[:, 2], noise[:, 3]], axis=1)


@pytest.mark.parametrize("kernel", [None, KERNEL])
def test_dependence_is_found_and_independence_is_not_refused(table, kernel):
    x, y, z, apart = table.T
    assert independence_pvalue(x, y, kernel=kernel) < 0.01
    assert independence_pvalue(x, apart, kernel=kernel) > 0.05
    assert independence_pvalue(x, z, y, kernel=kernel) > 0.05
    assert independence_pvalue(y, z, x, kernel=kernel) < 0.01
    together = independence_pvalue(np.stack([x, z], axis=1), y, kernel=kernel)
    assert together < 0.01


def test_the_kernel_is_all_that_is_exchanged(table):
    """With causal-learn's Gaussian kernel given as a function, its own p-values come out."""
    pytest.importorskip("causallearn")
    from causallearn.utils.KCI.GaussianKernel import GaussianKernel

    x, y, z, _ = table.T

    def gaussian(rows):
        made = GaussianKernel()
        made.set_width_empirical_kci(z[:, None])
        return made.kernel(rows)

    def unconditional(rows):
        made = GaussianKernel()
        made.set_width_empirical_hsic(rows)
        return made.kernel(rows)

    assert independence_pvalue(x, y, z, gaussian) == pytest.approx(independence_pvalue(x, y, z))
    without = pytest.approx(independence_pvalue(x, y))
    assert independence_pvalue(x, y, kernel=unconditional) == without


@pytest.mark.parametrize("kernel", [None, KERNEL])
def test_a_chain_is_discovered(table, kernel):
    found = discover(table, kernel)
    joined = {(int(a), int(b)) for a, b in np.argwhere(found.skeleton)}
    assert joined == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert not found.directed.any()  # a chain is the same as its reverse


def test_a_collider_is_directed():
    rng = np.random.default_rng(1)
    a, b, noise = rng.normal(size=(3, 80))
    found = discover(np.stack([a, b, a + b + 0.2 * noise], axis=1), KERNEL)
    assert {(int(i), int(j)) for i, j in np.argwhere(found.directed)} == {(0, 2), (1, 2)}


@pytest.mark.parametrize("kernel", [None, KERNEL])
@pytest.mark.parametrize("power", [-1000, 1000])
def test_the_unit_of_a_variable_changes_nothing(table, kernel, power):
    x, y, z, _ = table.T
    plain = independence_pvalue(x, z, y, kernel)
    assert independence_pvalue(np.ldexp(x, power), z, np.ldexp(y, -power), kernel) == plain


def test_copies_are_features_of_the_map(table):
    plain = QuantumKernel("havlicek", scale=0.2)
    found = CopiedKernel(plain, copies=3)(table[:5, :2])
    np.testing.assert_array_equal(found, plain(table[:5, [0, 0, 0, 1, 1, 1]]))
    with pytest.raises(InputError, match="copies is a whole number from 1 to 1000, got 0"):
        CopiedKernel(copies=0)


def test_what_is_no_table_is_refused(table):
    for call, says in (
        (lambda: discover(table[:5]), "minimum of 10"),
        (lambda: discover(table[:, :1]), "at least 2 variables"),
        (lambda: discover(table * [1, 1, 0, 1]), "variable 2 is constant"),
        (lambda: discover(table, alpha=1.0), "between 0 and 1, got 1.0"),
        (lambda: discover(table, alpha="a"), "between 0 and 1, got 'a'"),
        (lambda: discover(table, kernel=3), "kernel is a function of points.*got 3"),
        (lambda: CopiedKernel(copies=1.5), "copies is a whole number from 1 to 1000, got 1.5"),
        (lambda: CopiedKernel(None), "kernel is a function of points.*got None"),
        (lambda: CopiedKernel(QuantumKernel), "kernel is a function of points"),
        (lambda: CopiedKernel(copies=10**400), "copies is a whole number from 1 to 1000"),
        (
            lambda: discover(table, lambda rows: rows),
            r"no matrix \(60, 60\) of finite",
        ),
        (lambda: independence_pvalue([[1, 2], [3]], [1, 2]), "inhomogeneous"),
        (lambda: discover(np.where(table > 1, np.nan, table)), "NaN"),
        (lambda: independence_pvalue(table[:, 0], table[:50, 1]), r"numbers of rows: \[60, 50\]"),
    ):
        with pytest.raises(InputError, match=says):
            call()


def test_without_causal_learn_one_line_says_what_to_install(table, monkeypatch):
    monkeypatch.delitem(sys.modules, "qvlm_qiskit.kernels.kci", raising=False)
    monkeypatch.delattr(kernels, "kci", raising=False)
    monkeypatch.setitem(sys.modules, "causallearn.search.ConstraintBased.PC", None)
    says = r"causal discovery needs causal-learn: .* pip install 'qvlm-qiskit\[causal\]'$"
    with pytest.raises(MissingDependencyError, match=says):
        discover(table)
