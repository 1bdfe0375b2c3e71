"""``NAME:PLACE(key=value,…)`` taken apart and put together."""

import pytest

from qvlm_qiskit.basics.placed_names import PlacedName, listed
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize(
    ("text", "name", "place", "options"),
    [
        ("digits", "digits", None, {}),
        ("folder:/a/b", "folder", "/a/b", {}),
        ("folder:/a (1)/b (2)", "folder", "/a (1)/b (2)", {}),
        ("table:/a.csv(image=b,answer=x)", "table", "/a.csv", {"image": "b", "answer": "x"}),
        ("table:/a (1).csv(image=photo)", "table", "/a (1).csv", {"image": "photo"}),
        ("folder:/a(ask=which one, please?)", "folder", "/a", {"ask": "which one, please?"}),
        ("folder:/a(ask=what (or who) is it?,strict=yes)", "folder", "/a",
         {"ask": "what (or who) is it?", "strict": "yes"}),
        ("hub:me/mine(rows=3)", "hub", "me/mine", {"rows": "3"}),
        ("folder:C:\\pictures", "folder", "C:\\pictures", {}),
        ("x(a=b)", "x", None, {"a": "b"}),
        ("x(a=y(b=1,c=2),d=z(e=3))", "x", None, {"a": "y(b=1,c=2)", "d": "z(e=3)"}),
        ("x(a=1),b=2)", "x", None, {"a": "1)", "b": "2"}),
    ],
)  # fmt: skip
def test_a_name_is_taken_apart_and_put_together(text, name, place, options):
    found = PlacedName.read(text)
    assert (found.name, found.place, found.options) == (name, place, options)
    assert str(found) == text


def test_empty_parentheses_say_nothing_behind_a_name_and_belong_to_a_place():
    assert PlacedName.read("paqm()") == PlacedName.read("paqm( ) ") == PlacedName("paqm")
    assert PlacedName.read("folder:/a()").place == "/a()"


@pytest.mark.parametrize("text", ["", ":", ":/a", "folder:", "(a=b)", "()", "a()()", "a(b)"])
def test_what_is_of_another_form_is_refused(text):
    with pytest.raises(InputError, match="is not of the form NAME"):
        PlacedName.read(text)


def test_a_key_stands_once():
    with pytest.raises(InputError, match="says a= twice"):
        PlacedName.read("x:/y(a=1,a=2)")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        ("a, b,c ", ["a", "b", "c"]),
        ("a,,b", ["a", "", "b"]),
        ("a(b=1,c=2),d", ["a(b=1,c=2)", "d"]),
        ("a(b=c(d=1,e=2),f=3),g(h=4)", ["a(b=c(d=1,e=2),f=3)", "g(h=4)"]),
        ("a),b", ["a)", "b"]),
    ],
)
def test_names_are_listed_by_commas_outside_of_parentheses(text, names):
    assert listed(text) == names
