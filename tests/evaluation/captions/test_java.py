import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from qvlm_qiskit.errors import InputError, MissingDependencyError
from qvlm_qiskit.evaluation.captions import java, ptb
from tests.evaluation.captions import fake_java

HERE = shutil.which("java") is not None and find_spec("pycocoevalcap") is not None
TREEBANK = json.loads((Path(__file__).parent / "treebank.json").read_text("utf-8"))


def test_captions_go_in_and_tokens_come_out_line_by_line(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    assert java.tokenize(["A Cat.", "", "Café 日本"]) == ["a cat .", "", "café 日本"]


def test_meteor_is_asked_for_every_answer_and_its_references(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch, "for line in lines: print(line)")
    found = java.meteor_statistics(["a  cat", ""], [["the cat", "cats"], ["x"]])
    assert found == ["SCORE ||| the cat ||| cats ||| a cat", "SCORE ||| x ||| "]


def test_without_java_nothing_is_run(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="METEOR needs Java, and there is no java on the PATH"):
        java.meteor_statistics(["a"], [["a"]])


def test_without_the_jars_their_extra_is_named(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch)
    shutil.rmtree(tmp_path / "site" / "pycocoevalcap" / "meteor")
    with pytest.raises(MissingDependencyError, match=r"qvlm-qiskit\[captions\]"):
        java.meteor_statistics(["a"], [["a"]])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('one line')", "made 2 lines of 3 captions"),
        ("sys.exit('no memory\\nfor it')", "java failed: for it"),
        ("sys.exit(3)", "java failed: without a word"),
    ],
)
def test_a_program_that_fails_is_told_in_one_line(tmp_path, monkeypatch, body, says):
    fake_java.install(tmp_path, monkeypatch, body)
    with pytest.raises(java.JavaError, match=says):
        java.tokenize(["a", "b", "c"])


def test_a_program_that_hangs_is_stopped(tmp_path, monkeypatch):
    fake_java.install(tmp_path, monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(java, "MOST_SECONDS", 0.1)
    with pytest.raises(java.JavaError, match="timed out"):
        java.tokenize(["a"])


@pytest.mark.skipif(not HERE, reason="needs Java and the extra captions")
def test_the_original_says_what_the_table_of_the_port_says():
    # A line in between: the original looks at the word that begins the next one.
    lines = java.tokenize([line for text in TREEBANK for line in (" ".join(text.split()), "x")])
    kept = [" ".join(w for w in o.split(" ") if w not in ptb.PUNCTUATION) for o in lines[::2]]
    assert dict(zip(TREEBANK, kept, strict=True)) == TREEBANK
