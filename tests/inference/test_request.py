"""A run's record knows its model and its questions."""

import dataclasses
import hashlib
import json

import pytest
from PIL import Image

from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import (
    RunFolderError,
)
from qvlm_qiskit.inference import (
    continue_evaluation,
    start_evaluation,
)
from qvlm_qiskit.inference.request import questions_digest
from qvlm_qiskit.jobs.ledger.runs import load_run, new_run
from qvlm_qiskit.runs import Run
from tests.inference.small import SMALL


def test_another_model_is_refused_by_the_file_that_changed(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    weights = run_copy / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    recorded = begun.request["model"]["model.safetensors"]
    assert recorded == hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"model/model\.safetensors has changed"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0


def with_another_seed(folder):
    record = folder / "run.json"
    content = json.loads(record.read_text())
    content["options"]["seed"] += 1
    record.write_text(json.dumps(content))


def test_other_questions_are_refused(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    with_another_seed(run_copy)
    with pytest.raises(RunFolderError, match=r"questions are others .*submit it anew"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0
    assert load_run(store, begun.id).state == "waiting"


def test_a_model_that_changes_while_it_is_read_is_refused(run_copy, noisy, store, monkeypatch):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    weights, read = run_copy / "model" / "model.safetensors", Run.model

    def and_write(run):
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        return read(run)

    monkeypatch.setattr(Run, "model", and_write)
    with pytest.raises(RunFolderError, match=r"model/model\.safetensors has changed"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0


def test_a_file_in_a_subfolder_of_the_model_counts(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    (run_copy / "model" / "more").mkdir()
    (run_copy / "model" / "more" / "code.py").touch()
    with pytest.raises(RunFolderError, match=r"model/more/code\.py has changed"):
        continue_evaluation(store, begun.id)


def test_a_record_of_version_1_is_gone_on_with(run_copy, noisy, store):
    """It had no checksum of the questions, and none of subfolders."""
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    old = {key: value for key, value in begun.request.items() if key != "questions"}
    (run_copy / "model" / "more").mkdir()
    (run_copy / "model" / "more" / "code.py").touch()
    run = new_run(store, {**old, "version": 1})
    assert begun.request["version"] == 2
    assert continue_evaluation(store, run.id).state == "done"


def test_questions_differ_in_any_part():
    image = Image.new("L", (2, 2))
    sample = Sample(image, "kind", "question", "answer", (0, 1))
    other = Image.new("L", (2, 2), 1)
    asked = [
        [sample],
        [sample, sample],
        [],
        *(
            [dataclasses.replace(sample, **changes)]
            for changes in (
                {"image": other},
                {"kind": "x"},
                {"question": "x"},
                {"answer": "x"},
                {"image": Image.new("L", (4, 1))},
            )
        ),
    ]
    assert len({questions_digest(samples) for samples in asked}) == len(asked)
