"""One row of somebody's data, as its reader found it; its picture is not decoded yet."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from qvlm_qiskit.basics.images import open_image
from qvlm_qiskit.errors import InputError

_UNREADABLE = (
    OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError, InputError,
)  # fmt: skip


class Picture(Protocol):
    """Where the bytes of an image file are."""

    def read(self) -> bytes:
        """The bytes.

        Raises:
            InputError: There are none.
        """


@dataclass(frozen=True)
class FilePicture:
    """An image file on disk."""

    path: Path

    def read(self) -> bytes:
        """See `Picture`."""
        try:
            return self.path.read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"no image file at {self.path}") from error


@dataclass(frozen=True)
class StoredPicture:
    """An image file whose bytes stand in a table."""

    content: bytes | None

    def read(self) -> bytes:
        """See `Picture`."""
        if not self.content:
            raise InputError("no image")
        return self.content


@dataclass(frozen=True)
class Row:
    """A question about a picture, or what its caption or label is.

    Attributes:
        picture: The image file.
        question: Text without the image token.
        answers: What training teaches, a sample for each; the first is what evaluation shows.
        references: All that is accepted, in the order of the source; by default the answers.
        kind: Kind of question, by which accuracies are told apart.
        name: Where it stands, for messages and records.
        group: Rows of one group never come into two splits.
    """

    picture: Picture
    question: str
    answers: tuple[str, ...]
    references: tuple[str, ...] = ()
    kind: str = "question"
    name: str = ""
    group: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row that can't be used.

    Attributes:
        name: Where it stands.
        reason: Why, in words that rows of the same fault share.
    """

    name: str
    reason: str


def decoded(content: bytes) -> Image.Image:
    """An image file's bytes as a model gets them, see `open_image`.

    Raises:
        InputError: They are no image, or a damaged one.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return open_image(image)
    except _UNREADABLE as error:
        raise InputError("a damaged or unreadable image") from error


def text_of(value: object) -> str:
    """A cell as one line of text; numbers that are whole without ".0"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split())
