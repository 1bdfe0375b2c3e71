"""Which tokenizer captions get: the original one on Java, or this package's port of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qvlm_qiskit.errors import InputError, MissingDependencyError, UnknownNameError
from qvlm_qiskit.evaluation.captions import java, ptb

TOKENIZERS = ("auto", "java", "port")
"""What can be asked for; "auto" is Java's where it is there."""


@dataclass(frozen=True)
class Tokenizer:
    """A way to make tokens of captions, and its name for the report.

    Attributes:
        name: "java" or "port".
        note: What it is, and why it was taken.
        run: Captions without line breaks → tokens in lower case, joined by spaces.
    """

    name: str
    note: str
    run: Callable[[Sequence[str]], list[str]]

    def tokenize(self, captions: Sequence[str]) -> list[str]:
        """Tokens of each caption, without punctuation, joined by spaces; "" where it has none."""
        lines = self.run([" ".join(caption.split()) for caption in captions])
        return [" ".join(w for w in line.split(" ") if w not in ptb.PUNCTUATION) for line in lines]

    def as_dict(self) -> dict[str, str]:
        """Plain data for JSON."""
        return {"name": self.name, "note": self.note}


def check_tokenizer(name: str) -> None:
    """Refuse a name of no tokenizer, whether one is needed or not.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in TOKENIZERS:
        raise UnknownNameError("tokenizer", name, TOKENIZERS)


def find_tokenizer(name: str = "auto") -> Tokenizer:
    """The tokenizer of a name.

    Args:
        name: One of `TOKENIZERS`.

    Raises:
        UnknownNameError: There is none of that name.
        InputError: Java's was asked for, and there is no Java.
        MissingDependencyError: Java's was asked for, and pycocoevalcap is not installed.
    """
    check_tokenizer(name)
    if name == "port":
        return _port("as asked for")
    try:
        java.find_jar(java.TOKENIZER, "the Treebank tokenizer on Java")
    except (InputError, MissingDependencyError) as missing:
        if name == "java":
            raise
        return _port(str(missing))
    note = "Stanford's PTBTokenizer (CoreNLP 3.4.1) on Java, that of COCO's evaluation"
    return Tokenizer("java", note, java.tokenize)


def _port(why: str) -> Tokenizer:
    note = f"this package's port of Stanford's PTBTokenizer ({why})"
    return Tokenizer("port", note, lambda captions: [ptb.tokenize(text) for text in captions])
