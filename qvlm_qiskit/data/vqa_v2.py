"""VQA v2 (Goyal et al. 2017), by ``vqa-v2:FOLDER``, as its authors publish it.

FOLDER/v2_OpenEnded_mscoco_val2014_questions.json
FOLDER/v2_mscoco_val2014_annotations.json
FOLDER/val2014/COCO_val2014_000000262148.jpg, and train2014 likewise

Training teaches the most frequent of ten people's answers; all ten are accepted. Questions of the
official test parts have no published answers and are left out. Hugging Face's copy
(``lmms-lab/VQAv2``) is read by ``hub:``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.files import json_of, one_file
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import BadRow, FilePicture, Row, text_of
from qvlm_qiskit.data.reading.splits import Found, Parts
from qvlm_qiskit.errors import InputError


@reads("vqa-v2", takes="a folder with VQA v2's questions, annotations and pictures")
def vqa_v2(place: Path, options: Mapping[str, str]) -> Parts:
    """The questions of the parts whose annotations are there."""
    parts: dict[str, Callable[[], Iterable[Found]]] = {}
    for split in ("train", "val"):
        annotations = one_file(place, f"v2_mscoco_{split}2014_annotations.json")
        questions = one_file(place, f"v2_OpenEnded_mscoco_{split}2014_questions.json")
        if annotations and questions:
            parts[split] = lambda q=questions, a=annotations: _rows(place, q, a)  # type: ignore[misc]
    if not parts:
        raise InputError(
            f"{place} holds no v2_OpenEnded_mscoco_val2014_questions.json with its "
            "v2_mscoco_val2014_annotations.json, nor those of train2014"
        )
    return parts


def _rows(place: Path, questions: Path, annotations: Path) -> Iterator[Found]:
    asked = json_of(questions, "questions")
    folder = place / json_of(questions).get("data_subtype", "val2014")
    answered = {a["question_id"]: a for a in json_of(annotations, "annotations")}
    for question in asked:
        name = f"question {question['question_id']}"
        found = answered.get(question["question_id"])
        if found is None:
            yield BadRow(name, "no annotation")
            continue
        file = folder / f"COCO_{folder.name}_{question['image_id']:012d}.jpg"
        references = tuple(text_of(answer["answer"]) for answer in found["answers"])
        taught = text_of(found["multiple_choice_answer"])
        text, kind = text_of(question["question"]), found.get("answer_type", "question")
        yield Row(FilePicture(file), text, (taught,), references, kind, name)
