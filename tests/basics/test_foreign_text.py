"""Text of others on a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.basics.foreign_text import shown, shown_json

STRANGE = {
    "a \x1b[31mred\x1b[0m b": "a red b",
    "\x9b2Jcleared": "cleared",
    "\x1b]0;a title\x07text": "text",
    "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1bPdevice\x1b\\x": "x",
    "two\nlines\r\nand\ttab": "two lines  and tab",
    "nul\0bell\x07del\x7f": "nulbelldel",
    "\u202eturned\u202c zero\u200bwidth\ufeff": "turned zerowidth",
    "[bold]kept[/bold] [/] [no": "[bold]kept[/bold] [/] [no",
    "größe 量子 λ": "größe 量子 λ",
    "\ud800half": "half",
    "\x1b": "",
    "\x1b[": "",
    "": "",
}


@pytest.mark.parametrize(("text", "plain"), STRANGE.items())
def test_what_a_terminal_would_obey_is_left_out(text, plain):
    assert shown(text) == plain


@given(st.text())
def test_what_is_shown_has_no_control_and_stays_as_it_is(text):
    plain = shown(text)
    assert not {unicodedata.category(char) for char in plain} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert shown(plain) == plain


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner), max_leaves=5))
def test_json_stays_what_it_is_and_shows_no_control(value):
    text = shown_json(value)
    assert json.loads(text) == value
    assert not {unicodedata.category(char) for char in text if char != "\n"} & {"Cc", "Cf", "Cs"}
