"""Which column of a table holds what: named by the user, or called as such columns usually are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.data.reading.rows import text_of
from qvlm_qiskit.errors import InputError, UnknownNameError

USUAL: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "img", "picture", "file_name", "filename", "image_path", "path", "file"),
    "question": ("question", "query", "prompt", "sentence"),
    "answer": ("answer", "multiple_choice_answer", "label", "class"),
    "caption": ("caption", "captions", "text", "description"),
    "references": ("answers",),
    "kind": ("kind", "question_type"),
    "group": ("group",),
    "split": ("split",),
}
"""What a column holds → how it is usually called; the first that is there is taken."""
CAPTION_QUESTION, LABEL_QUESTION = "describe the image.", "what is this?"
OPTIONS = (*USUAL, "ask")
"""``ask`` is no column but the question of data that has none."""


@dataclass(frozen=True)
class Columns:
    """The columns of one table.

    Attributes:
        image: Holds paths, bytes or Hugging Face's image cells.
        answer: Holds answers, labels or captions; one, or a list of them.
        question: Holds questions; None where every row is asked the same.
        ask: What they are asked then.
        kind: Kind of question: a column's name, or None.
        references: Holds all accepted answers.
        group: Rows with equal cells stay in one split.
        split: Holds the official split.
        fallback_kind: The kind of rows without one.
    """

    image: str
    answer: str
    question: str | None
    ask: str
    kind: str | None
    references: str | None
    group: str | None
    split: str | None
    fallback_kind: str

    @classmethod
    def of(cls, there: Collection[str], named: Mapping[str, str], table: str) -> Columns:
        """Find the columns of a table.

        Args:
            there: Its columns.
            named: What a column holds → its name, by the user.
            table: For messages.

        Raises:
            InputError: A column that was named is not there, or none for pictures or answers.
            UnknownNameError: A column is to hold something unknown.
        """
        for key in named:
            if key not in OPTIONS:
                raise UnknownNameError("column", key, OPTIONS)
        found = {what: _find(what, there, named, table) for what in USUAL}
        captions = found["answer"] is None or ("caption" in named and "answer" not in named)
        answer = found["caption"] if captions else found["answer"]
        for what, column in (("image", found["image"]), ("answer or caption", answer)):
            if column is None:
                raise InputError(
                    f"{table} has no column for {what}: name it (its columns are {_list(there)})"
                )
        if "question" not in named and ("ask" in named or captions):
            found["question"] = None
        question = CAPTION_QUESTION if captions else LABEL_QUESTION
        return cls(
            image=str(found["image"]),
            answer=str(answer),
            question=found["question"],
            ask=named.get("ask", question),
            kind=found["kind"],
            references=found["references"],
            group=found["group"],
            split=found["split"],
            fallback_kind="caption" if captions else "question" if found["question"] else "label",
        )

    def words(self, cells: Mapping[str, Any]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Question, answers and references of a row."""
        question = self.ask if self.question is None else _one(cells[self.question])
        answers = _several(cells[self.answer])
        references = () if self.references is None else _several(cells[self.references])
        return question, answers, references

    def kind_of(self, cells: Mapping[str, Any]) -> str:
        """Kind of a row's question."""
        return (_one(cells[self.kind]) if self.kind else "") or self.fallback_kind

    def group_of(self, cells: Mapping[str, Any]) -> str:
        """What a row shares with those that stay in its split."""
        return _one(cells[self.group]) if self.group else ""


def _find(what: str, there: Collection[str], named: Mapping[str, str], table: str) -> str | None:
    if what in named:
        if named[what] not in there:
            raise InputError(
                f"{table} has no column {named[what]!r}: its columns are {_list(there)}"
            )
        return named[what]
    return next((name for name in USUAL[what] if name in there), None)


def _list(names: Collection[str]) -> str:
    return ", ".join(names)


def _one(cell: Any) -> str:
    return "" if _empty(cell) else text_of(cell)


def _several(cell: Any) -> tuple[str, ...]:
    """A cell's texts: of a list, or of Hugging Face's lists of answers, each; the rest is one."""
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if not isinstance(cell, list | tuple):
        return () if _empty(cell) else (text_of(cell),)
    texts = (
        part["answer"] if isinstance(part, dict) and "answer" in part else part for part in cell
    )
    return tuple(text_of(text) for text in texts if not _empty(text))


def _empty(cell: Any) -> bool:
    return cell is None or cell != cell or not str(cell).strip()
