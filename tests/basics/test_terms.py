"""Texts of the form name(1,b=2), joined by signs."""

import re

import pytest

from qvlm_qiskit.basics.terms import Argument, NamedTerm, TermError, is_balanced, split


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("", [""]),
        ("a + b(1+2) +c", ["a", "b(1+2)", "c"]),
        ("zz(1e-2)+zz(1E+0)", ["zz(1e-2)", "zz(1E+0)"]),
        ("a+", ["a", ""]),
        ("a)+b", ["a)", "b"]),
    ],
)
def test_a_sign_inside_parentheses_separates_nothing(text, parts):
    assert split(text) == parts


@pytest.mark.parametrize(
    ("text", "balanced"), [("a(b(c)d)", True), ("a(", False), ("a)(", False), ("", True)]
)
def test_every_parenthesis_needs_its_other_half(text, balanced):
    assert is_balanced(text) == balanced


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("zne", NamedTerm("zne")),
        (" zne () ", NamedTerm("zne", ())),
        ("f(0.1, p = 2)", NamedTerm("f", (Argument(None, "0.1"), Argument("p", "2")))),
        (
            "auto(techniques=none,zne(scales=1,3))",
            NamedTerm("auto", (Argument("techniques", "none"), Argument(None, "zne(scales=1,3)"))),
        ),
    ],
)
def test_a_term_is_a_name_with_arguments(text, term):
    assert NamedTerm.read(text) == term


def test_arguments_are_written_as_they_are_read():
    term = NamedTerm.read("f(0.1,p=2)")
    assert [str(argument) for argument in term.arguments] == ["0.1", "p=2"]


@pytest.mark.parametrize("text", ["zne(scales=1", "zne(scales=1)x", "("])
def test_an_open_parenthesis_is_refused(text):
    with pytest.raises(TermError, match=re.escape(f"{text!r} has an open parenthesis")):
        NamedTerm.read(text)
