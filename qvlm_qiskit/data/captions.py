"""Captions of photographs, by ``captions:FOLDER`` or ``captions:FILE``, in their published formats.

COCO       captions_train2017.json, captions_val2017.json (also 2014), pictures in train2017, …
Karpathy   dataset_coco.json, dataset_flickr8k.json, dataset_flickr30k.json, with his splits
Flickr30k  results_20130124.token or results.csv, without splits

Pictures may lie anywhere below the folder. In training each caption is a sample; in evaluation each
picture is one, and all of its captions are accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qvlm_qiskit.data.reading.columns import CAPTION_QUESTION
from qvlm_qiskit.data.reading.files import json_of, lines_of
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import FilePicture, Row, text_of
from qvlm_qiskit.data.reading.splits import WHOLE, Found, Parts
from qvlm_qiskit.errors import InputError

_FORMS = ("dataset*.json", "captions_*.json", "*.token", "results.csv")


@reads("captions", takes="a folder with COCO's, Karpathy's or Flickr30k's captions and pictures",
       options=("ask",))  # fmt: skip
def captions(place: Path, options: Mapping[str, str]) -> Parts:
    """The captions of the first format that is found."""
    files = [place] if place.is_file() else _files(place)
    ask = options.get("ask", CAPTION_QUESTION)
    folder = Pictures(place.parent if place.is_file() else place)
    if files[0].suffix != ".json":
        return {WHOLE: lambda: _flickr(files[0], folder, ask)}
    if isinstance(json_of(files[0]), dict) and "annotations" in json_of(files[0]):
        return {_coco_split(f): lambda f=f: _coco(f, folder, ask) for f in files}  # type: ignore[misc]
    return _karpathy(files[0], folder, ask)


class Pictures:
    """The files below a folder by their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Path] | None = None

    def find(self, name: str, below: str = "") -> FilePicture:
        """A picture: where it should lie, or wherever its name is found."""
        for path in (self.folder / below / name, self.folder / name):
            if path.is_file():
                return FilePicture(path)
        if self._known is None:
            self._known = {path.name: path for path in self.folder.rglob("*.*")}
        return FilePicture(self._known.get(Path(name).name, self.folder / below / name))


def _files(place: Path) -> list[Path]:
    for form in _FORMS:
        if found := sorted(place.rglob(form)):
            return found if form == "captions_*.json" else found[:1]
    raise InputError(f"{place} holds none of {', '.join(_FORMS)}")


def _coco_split(file: Path) -> str:
    """``captions_val2017.json`` → ``val``."""
    return file.stem.removeprefix("captions_").rstrip("0123456789")


def _coco(file: Path, folder: Pictures, ask: str) -> Iterator[Row]:
    texts: dict[int, list[str]] = {}
    for annotation in json_of(file, "annotations"):
        texts.setdefault(annotation["image_id"], []).append(text_of(annotation["caption"]))
    below = file.stem.removeprefix("captions_")
    for image in json_of(file, "images"):
        name, found = image["file_name"], tuple(t for t in texts.get(image["id"], ()) if t)
        yield Row(folder.find(name, below), ask, found, kind="caption", name=name)


def _karpathy(file: Path, folder: Pictures, ask: str) -> Parts:
    images = json_of(file, "images")
    if not all("sentences" in image and "split" in image for image in images):
        raise InputError(f"{file} is of none of the formats of COCO, Karpathy or Flickr30k")
    splits: dict[str, list[dict[str, Any]]] = {}
    for image in images:
        splits.setdefault(image["split"], []).append(image)

    def part(found: list[dict[str, Any]]) -> Callable[[], Iterable[Found]]:
        return lambda: (_sentences(image, folder, ask) for image in found)

    return {split: part(found) for split, found in splits.items()}


def _sentences(image: Mapping[str, Any], folder: Pictures, ask: str) -> Row:
    texts = tuple(t for s in image["sentences"] if (t := text_of(s["raw"])))
    name = image["filename"]
    return Row(folder.find(name, image.get("filepath", "")), ask, texts, kind="caption", name=name)


def _flickr(file: Path, folder: Pictures, ask: str) -> Iterator[Row]:
    """Lines ``1000092795.jpg#0<tab>caption``, or ``1000092795.jpg| 0| caption``."""
    texts: dict[str, list[str]] = {}
    for line in lines_of(file):
        mark = "|" if file.suffix == ".csv" else "\t"
        name, _, caption = line.partition(mark)
        if name != "image_name":
            texts.setdefault(name.partition("#")[0].strip(), []).append(caption.rpartition("|")[2])
    for name, found in texts.items():
        answers = tuple(t for text in found if (t := text_of(text)))
        yield Row(folder.find(name), ask, answers, kind="caption", name=name)
