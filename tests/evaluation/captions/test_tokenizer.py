import pytest

from qvlm_qiskit.errors import InputError, MissingDependencyError, UnknownNameError
from qvlm_qiskit.evaluation.captions import find_tokenizer, ptb
from tests.evaluation.captions import fake_java


def test_javas_is_taken_where_it_is_there(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    found = find_tokenizer()
    assert found.name == "java"
    assert "on Java" in found.note
    # Line breaks inside a caption are spaces, and punctuation is dropped.
    assert found.tokenize(["A Cat.\nTwo", "."]) == ["a cat two", ""]


def test_otherwise_the_port_is_taken_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_tokenizer("auto")
    assert found.as_dict() == {"name": "port", "note": found.note}
    assert "port of Stanford's PTBTokenizer" in found.note
    assert "no java on the PATH" in found.note
    assert found.tokenize(["A cat's\r\nTail."]) == [ptb.tokenize("A cat's Tail.")]


def test_the_port_can_be_asked_for(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    assert find_tokenizer("port").name == "port"


def test_javas_is_not_replaced_where_it_was_asked_for(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    (tmp_path / "site/pycocoevalcap/tokenizer/stanford-corenlp-3.4.1.jar").unlink()
    with pytest.raises(MissingDependencyError, match="captions"):
        find_tokenizer("java")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no java"):
        find_tokenizer("java")


def test_another_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'java'"):
        find_tokenizer("jave")
