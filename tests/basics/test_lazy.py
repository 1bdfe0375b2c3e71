"""Names that are imported on first use."""

import json

import pytest

from qvlm_qiskit.basics.lazy import lazy_names


def test_a_name_is_its_module_s():
    named = lazy_names("json", {"JSONDecoder": "decoder", "JSONEncoder": "encoder"})
    assert named("JSONDecoder") is json.decoder.JSONDecoder
    assert named("JSONEncoder") is json.encoder.JSONEncoder


def test_other_names_are_refused_as_python_does():
    named = lazy_names("json", {"JSONDecoder": "decoder"})
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'JSONDecode'"):
        named("JSONDecode")
