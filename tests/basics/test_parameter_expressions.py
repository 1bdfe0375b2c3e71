"""Formulas and affine forms against Qiskit's own binding."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit import Parameter

from qvlm_qiskit.basics.parameter_expressions import affine_terms, formula_of

A, B, C = (Parameter(name) for name in "abc")
VALUES = {A: 0.4, B: 0.9, C: 1.3}
FUNCTIONS = {
    "SIN": np.sin, "COS": np.cos, "TAN": np.tan, "ASIN": np.arcsin, "ACOS": np.arccos,
    "ATAN": np.arctan, "EXP": np.exp, "LOG": np.log, "ABS": np.abs, "SIGN": np.sign,
    "CONJ": np.conj,
}  # fmt: skip


def bound(expression):
    return float(expression.bind({p: VALUES[p] for p in expression.parameters}).numeric())


def computed(expression):
    formula, parameters = formula_of(expression)
    return formula([VALUES[p] for p in parameters], FUNCTIONS)


numbers = st.sampled_from([2, 0.5, -1.5, 3, 1.25, -2])
leaves = st.one_of(st.sampled_from([A, B, C]), numbers)


def joined(children):
    binary = st.tuples(st.sampled_from("+-*/"), children, children)
    return st.one_of(binary, st.tuples(st.just("-"), children))


def built(tree):
    """The expression (or number) of a tree of sums, products and quotients."""
    if not isinstance(tree, tuple):
        return tree
    name, *operands = tree
    values = [built(operand) for operand in operands]
    if len(values) == 1:
        return -values[0]
    left, right = values
    if name == "/":
        try:
            return left / right
        except ZeroDivisionError:
            return left
    return {"+": left + right, "-": left - right, "*": left * right}[name]


@settings(max_examples=150, deadline=None)
@given(st.recursive(leaves, joined, max_leaves=8).map(built))
def test_sums_and_products_are_what_qiskit_binds(expression):
    if isinstance(expression, int | float):
        return
    try:
        expected = bound(expression)
    except (ZeroDivisionError, RuntimeError):  # a pole at these values
        return
    assert math.isclose(computed(expression), expected, rel_tol=1e-9, abs_tol=1e-9)
    terms = affine_terms(expression)
    if terms is not None:
        total = sum(s * VALUES.get(p, 1.0) for p, s in terms.items())
        assert math.isclose(total, expected, rel_tol=1e-9, abs_tol=1e-9)


AFFINE = {
    "2a + b/4 - 1": (2 * A + B / 4 - 1, {A: 2.0, B: 0.25, None: -1.0}),
    "(a + 1)/2 - a/2": ((A + 1) / 2 - A / 2, {None: 0.5}),
    "3 - a": (3 - A, {A: -1.0, None: 3.0}),
    "a - a": (A - A, {}),
    "a·0": (A * 0, {}),
    "conj(a)": ((1j * A).conjugate() * 1j, {A: 1.0}),
    "a": (A, {A: 1.0}),
    "b assigned": ((A + B).assign(B, 2.0), {A: 1.0, None: 2.0}),
    "b replaced": ((A + B).subs({B: 2 * C}), {A: 1.0, C: 2.0}),
}
OTHER = {
    "log(2a) - log(a)": (2 * A).log() - A.log(),
    "log(3a) - log(a) + b": (3 * A).log() - A.log() + B,
    "a·a/a": A * A / A,
    "exp(log a)": A.log().exp(),
    "√a/√a": A**0.5 * A**-0.5,
    "2**a": 2**A,
    "(2ac)**…": (2 * A * C) ** ((1.5 + C) * (B - A)),
    "1/a": 1 / A,
    "2 - 1/a": 2 - 1 / A,
    "sign": A.sign(),
    "abs": abs(A) - 1,
    "trigonometric": A.sin() + B.cos() * C.tan() - A.arcsin() / (1 + A.arccos()) + B.arctan(),
    "conj": (A * B).conjugate(),
}


@pytest.mark.parametrize("name", AFFINE)
def test_affine_expressions_are_read_off_as_they_are_written(name):
    expression, expected = AFFINE[name]
    assert affine_terms(expression) == expected
    if name != "a":
        np.testing.assert_allclose(computed(expression), bound(expression))


@pytest.mark.parametrize("name", OTHER)
def test_other_expressions_are_formulas_even_where_their_slopes_are_constant(name):
    assert affine_terms(OTHER[name]) is None
    np.testing.assert_allclose(computed(OTHER[name]), bound(OTHER[name]))


def test_a_sum_of_very_many_terms_needs_no_recursion():
    total = sum((i * A for i in range(1, 3000)), start=B)
    assert affine_terms(total) == {A: 2999 * 1500, B: 1.0}
