"""One question about one image, of whatever data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True)
class Sample:
    """One question about one image.

    Attributes:
        image: Any size and mode; a processor makes of it what its model takes.
        kind: Kind of question, by which accuracies are told apart.
        question: Text without the image token.
        answer: What training teaches and `accepts` takes.
        sources: What of the original data the image was made of, as indices or names; no two
            splits of a data set share one.
        references: All answers or captions that people gave, in their order, each as often as it
            was given; empty where the answer is the only one.
    """

    image: Image.Image
    kind: str
    question: str
    answer: str
    sources: tuple[int | str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """All answers or captions that people gave; where it holds none, its answer."""
        return tuple(self.references) or (self.answer,)

    def accepts(self, given: str) -> bool:
        """Whether an answer is right, word for word: one of those that people gave.

        A data set's own samples may override it.

        Args:
            given: As generated, without special tokens.
        """
        return given in (self.answer, *self.references)


class Samples(Protocol):
    """What a data set opens: a list, or something that makes its samples on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...
