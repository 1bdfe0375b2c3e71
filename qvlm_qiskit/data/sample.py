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
    """

    image: Image.Image
    kind: str
    question: str
    answer: str
    sources: tuple[int | str, ...] = ()

    def accepts(self, given: str) -> bool:
        """Whether an answer is right: word for word, unless a data set's own samples override it.

        Args:
            given: As generated, without special tokens.
        """
        return given == self.answer


class Samples(Protocol):
    """What a data set opens: a list, or something that makes its samples on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...
