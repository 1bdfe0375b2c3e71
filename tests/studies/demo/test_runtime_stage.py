import json

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.evaluation import Exam, evaluate
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.studies import recorded_inference


def test_every_circuit_is_sent_once_and_read_back(
    model, processor, samples, runtime, counted, tmp_path
):
    backend, device = counted(runtime)
    found, record = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:3]), backend, tmp_path / "ledger"
    )
    assert record["jobs"] == JobStore(tmp_path / "ledger").count_jobs() == device.pubs > 0
    assert record["new_rows"] == record["stored_rows"] == record["verified_rows"] > 0
    assert record["accuracy"] == found.accuracy.value
    assert len(found.answers) == record["total"] == 3
    assert record["stored_bytes"] == sum(
        path.stat().st_size for path in (tmp_path / "ledger").rglob("*") if path.is_file()
    )
    json.dumps(record, allow_nan=False)


def test_a_second_call_sends_nothing(model, processor, samples, runtime, counted, tmp_path, tree):
    backend, device = counted(runtime)
    first, one = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:3]), backend, tmp_path
    )
    sent, before = device.pubs, tree(tmp_path / "blobs")
    second, two = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:3]), backend, tmp_path
    )
    assert device.pubs == sent
    assert tree(tmp_path / "blobs") == before
    assert second == first
    assert (two["jobs"], two["new_rows"], two["stored_rows"]) == (0, 0, one["stored_rows"])


@pytest.mark.slow
def test_another_question_sends_only_what_is_new(
    model, processor, samples, runtime, counted, tmp_path
):
    backend, device = counted(runtime)
    _, first = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:2]), backend, tmp_path
    )
    sent = device.pubs
    _, record = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[2:4]), backend, tmp_path
    )
    assert record["jobs"] == device.pubs - sent > 0
    assert record["stored_rows"] == first["stored_rows"] + record["new_rows"]


@pytest.mark.slow
def test_the_answers_are_those_of_the_backend_without_a_ledger(
    model, processor, samples, runtime, tmp_path
):
    with model.run_on(runtime):
        plain = evaluate(model, processor, samples[:3])
    found, _ = recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:3]), runtime, tmp_path
    )
    assert found == plain


@pytest.mark.slow
def test_the_model_is_put_back_on_its_own_machine(model, processor, samples, runtime, tmp_path):
    before = [layer.active_estimator for layer in model.quantum_layers.values()]
    recorded_inference(Exam(VisionLanguageModel(model, processor), samples[:2]), runtime, tmp_path)
    after = [layer.active_estimator for layer in model.quantum_layers.values()]
    assert all(a is b for a, b in zip(after, before, strict=True))


@pytest.mark.slow
def test_progress_has_two_rounds(model, processor, samples, runtime, tmp_path, watch):
    seen = []
    recorded_inference(
        Exam(VisionLanguageModel(model, processor), samples[:2]),
        runtime,
        tmp_path,
        track=watch(seen),
    )
    assert seen == [("Runtime inference", 2, [2]), ("read back from the store", 2, [2])]


@pytest.mark.slow
def test_a_damaged_store_is_an_error(model, processor, samples, runtime, counted, tmp_path):
    backend, device = counted(runtime)
    recorded_inference(Exam(VisionLanguageModel(model, processor), samples[:2]), backend, tmp_path)
    sent = device.pubs
    damaged = next((tmp_path / "blobs").rglob("*.blob"))
    damaged.write_bytes(b"damaged")
    with pytest.raises(LedgerError, match="damaged"):
        recorded_inference(
            Exam(VisionLanguageModel(model, processor), samples[:2]), backend, tmp_path
        )
    assert device.pubs == sent


def test_a_file_is_no_store(model, processor, samples, runtime, tmp_path):
    (tmp_path / "ledger").write_text("mine")
    with pytest.raises(LedgerError, match="ledger"):
        recorded_inference(
            Exam(VisionLanguageModel(model, processor), samples[:2]), runtime, tmp_path / "ledger"
        )
