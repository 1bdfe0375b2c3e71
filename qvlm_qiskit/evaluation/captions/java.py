"""The two Java programs of COCO's evaluation: its tokenizer, and METEOR.

Both come with pycocoevalcap (extra ``captions``), of which nothing but these files is used.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from qvlm_qiskit.errors import InputError, MissingDependencyError, QVLMError

TOKENIZER = "tokenizer/stanford-corenlp-3.4.1.jar"
METEOR = "meteor/meteor-1.5.jar"
MOST_SECONDS = 3600
"""A Java program that takes longer is stopped; METEOR reads its tables for half a minute."""


class JavaError(QVLMError, RuntimeError):
    """A Java program failed, or did not answer what it was asked."""


def find_jar(name: str, purpose: str) -> Path:
    """A jar of pycocoevalcap, where Java is there to run it.

    Args:
        name: `TOKENIZER` or `METEOR`.
        purpose: What needs it, for messages.

    Raises:
        InputError: There is no Java.
        MissingDependencyError: pycocoevalcap is not installed.
    """
    if shutil.which("java") is None:
        raise InputError(f"{purpose} needs Java, and there is no java on the PATH")
    spec = find_spec("pycocoevalcap")
    places = () if spec is None else spec.submodule_search_locations or ()
    for place in places:
        if (jar := Path(place, name)).is_file():
            return jar
    raise MissingDependencyError("pycocoevalcap", "captions", purpose)


def tokenize(captions: Sequence[str]) -> list[str]:
    """The tokens of captions by Stanford's tokenizer, in lower case, punctuation among them.

    As in COCO's evaluation, one caption is a line and the first word of the next line may decide
    whether a full stop belongs to an initial.

    Args:
        captions: Without line breaks.

    Raises:
        QVLMError: There is no Java, no jar, or the program failed.
    """
    jar = find_jar(TOKENIZER, "the Treebank tokenizer")
    command = ["-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
    options = ["-preserveLines", "-lowerCase", "-encoding", "utf-8"]
    lines = _run([*command, *options], captions, jar.parent)
    # The last line break begins a line that is none.
    if len(lines) not in (len(captions), len(captions) + 1):
        raise JavaError(f"the tokenizer made {len(lines)} lines of {len(captions)} captions")
    return [line.rstrip() for line in lines[: len(captions)]]


def meteor_statistics(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[str]:
    """What METEOR counts in every answer and its best reference, 23 numbers in a line.

    Args:
        answers: Tokens, joined by spaces.
        references: The same, one or more per answer.

    Raises:
        QVLMError: There is no Java, no jar, or the program failed.
    """
    jar = find_jar(METEOR, "METEOR")
    asked = [
        " ||| ".join(["SCORE", *texts, " ".join(answer.split())])
        for answer, texts in zip(answers, references, strict=True)
    ]
    options = ["-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    lines = [line for line in _run(options, asked, jar.parent) if line]
    if len(lines) != len(asked):
        raise JavaError(f"METEOR answered {len(lines)} of {len(asked)} lines")
    return lines


def _run(options: Sequence[str], lines: Sequence[str], folder: Path) -> list[str]:
    """What Java prints in answer to lines."""
    command = ["java", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", *options]
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, cwd=folder, timeout=MOST_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JavaError(f"java can't be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["without a word"]
        raise JavaError(f"java failed: {said[-1]}")
    return done.stdout.decode(errors="replace").split("\n")
