"""A model's preflight counts what its evaluation then submits, equal rows merged."""

import numpy as np
import pytest
import torch
from qiskit.primitives import (
    BaseEstimatorV2,
    DataBin,
    PrimitiveResult,
    PubResult,
    StatevectorEstimator,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_ibm_runtime.executor import Executor

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices.noisy_estimator import NoisyEstimator
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.shots import shots_of_precision
from qvlm_qiskit.data.batch import encode_prompts
from qvlm_qiskit.evaluation import Exam, evaluate
from qvlm_qiskit.inference.preflight import jobs_in_a_row, preflight_evaluation, smaller_recipes
from qvlm_qiskit.jobs import JobStore, recorded_backend
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig
from qvlm_qiskit.models import VisionLanguageModel
from tests.parameters import first_by_default


class CountingDevice(BaseEstimatorV2):
    """In place of a device: answers exactly, and counts circuits and shots of ⟨Z…Z⟩ pubs."""

    def __init__(self):
        self.jobs = self.pubs = self.circuits = self.executions = 0

    def run(self, pubs, *, precision=None):
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        self.jobs += 1
        answers = []
        for pub in coerced:
            letters = {
                letter.name
                for observable in pub.observables.sparse_observables_array().ravel()
                for letter in observable.bit_terms
            }
            assert letters <= {"Z"}  # one basis: a measured circuit per row
            rows = max(1, pub.parameter_values.size)
            self.pubs += 1
            self.circuits += rows
            self.executions += rows * shots_of_precision(pub.precision)
            plain = (pub.circuit, pub.observables, pub.parameter_values)
            evs = StatevectorEstimator().run([plain]).result()[0].data.evs
            data = DataBin(evs=evs, stds=np.zeros_like(evs), shape=evs.shape)
            answers.append(PubResult(data, {"circuits": rows}))
        return FinishedJob(PrimitiveResult(answers))


@pytest.mark.parametrize("mitigation", first_by_default("readout+zne", "none", "readout", "zne"))
@pytest.mark.parametrize("batch_size", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_an_evaluation_submits_what_the_preflight_says(
    mitigation, batch_size, model, processor, samples
):
    asked = [*samples[:4], samples[0]]  # one question twice: equal rows are sent once
    backend = open_backend("noisy:fake_manila", shots=70, mitigation=mitigation, seed=0)
    report, _ = preflight_evaluation(
        Exam(VisionLanguageModel(model, processor), asked),
        backend,
        batch_size=batch_size,
        mitigations=[mitigation],
    )
    counter = CountingDevice()
    with model.run_on(backend.recorded(lambda device, about: counter)):
        evaluate(model, processor, asked, batch_size=batch_size)
    (level,) = report.levels
    assert (level.jobs, level.pubs, level.circuits, level.executions) == (
        counter.jobs,
        counter.pubs,
        counter.circuits,
        counter.executions,
    )
    calibrated = 2 * 10_000 if "readout" in mitigation else 0
    assert level.calibration_executions == calibrated
    assert level.executions - calibrated == report.rows * 70 * (3 if "zne" in mitigation else 1)


def test_equal_rows_count_once(model, processor, samples):
    backend = open_backend("noisy:fake_manila", shots=10)
    first, doubled = samples[:2], [*samples[:2], *samples[:2]]
    once, twice = (
        preflight_evaluation(
            Exam(VisionLanguageModel(model, processor), asked), backend, mitigations=["none"]
        )[0]
        for asked in (first, doubled)
    )
    assert twice.levels[0].executions == once.levels[0].executions == 10 * once.rows


def test_a_ledger_with_every_answer_changes_no_costs(model, processor, samples, tmp_path):
    backend = open_backend("noisy:fake_manila", shots=40, mitigation="readout", seed=0)
    with model.run_on(recorded_backend(backend, JobStore(tmp_path))):
        evaluate(model, processor, samples[:3])
    # a stack of its own knows no calibration yet
    again = recorded_backend(backend, JobStore(tmp_path))
    plain = open_backend("noisy:fake_manila", shots=40, mitigation="readout", seed=0)
    found, expected = (
        preflight_evaluation(Exam(VisionLanguageModel(model, processor), samples[:3]), machine)[0]
        for machine in (again, plain)
    )
    assert found == expected
    assert found.levels[0].executions == 40 * found.rows + 2 * 10_000


@pytest.mark.parametrize("level", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_forward_pass_executes_in_the_runtime_client_what_the_preflight_says(
    level, model, processor, samples, monkeypatch
):
    seen = []
    run = Executor.run

    def spy(self, program, **kwargs):
        seen.append(sum(int(item.size()) for item in program.items) * program.shots)
        return run(self, program, **kwargs)

    monkeypatch.setattr(Executor, "run", spy)
    pair = [samples[0], samples[0]]
    batch = encode_prompts(processor, [s.image for s in pair], [s.question for s in pair])
    inputs = dict(batch.inputs())
    backend = open_backend("fake_manila", shots=64, mitigation=f"resilience-{level}", seed=0)
    report = backend.preflight(model, inputs)
    assert seen == []
    with model.run_on(backend), torch.inference_mode():
        model(**inputs)
    assert (report.levels[0].jobs, report.levels[0].executions) == (len(seen), sum(seen))
    text = int((batch.input_ids != model.config.image_token_id).sum())
    assert report.rows < text + 2 * model.config.num_image_tokens


def test_an_evaluation_on_tiles_executes_what_the_preflight_says(
    model, processor, samples, monkeypatch
):
    seen = []
    run = NoisyEstimator.run

    def spy(self, pubs, **kwargs):
        job = run(self, pubs, **kwargs)
        seen.append(sum(answer.metadata["executions"] for answer in job.result()))
        return job

    monkeypatch.setattr(NoisyEstimator, "run", spy)
    exam = Exam(VisionLanguageModel(model, processor), samples[:2])
    options = {"shots": 40, "mitigation": "readout", "seed": 0}
    tiled = open_backend("noisy:fake_torino", tiles=6, **options)
    report = preflight_evaluation(exam, tiled)[0]
    alone = preflight_evaluation(exam, open_backend("noisy:fake_torino", **options))[0]
    assert seen == []
    with model.run_on(tiled), torch.inference_mode():
        evaluate(model, processor, samples[:2])
    (level,), (before,) = report.levels, alone.levels
    assert (level.jobs, level.executions) == (len(seen), sum(seen))
    own, theirs = (one.executions - one.calibration_executions for one in (level, before))
    assert 6 * own <= theirs + 6 * 40 * level.jobs
    assert any("tiles: 6" in note for note in report.notes())


class CountingCalls(StatevectorEstimator):
    calls = 0

    def run(self, pubs, *, precision=None):
        self.calls += 1
        return super().run(pubs, precision=precision)


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_a_generation_waits_for_so_many_jobs(tokens, model, processor, samples):
    device = CountingCalls()
    batch = encode_prompts(processor, [samples[0].image], [samples[0].question])
    with model.run_on(device):
        model.generate(**batch.inputs(), min_new_tokens=tokens, max_new_tokens=tokens)
    assert device.calls == jobs_in_a_row(model, tokens) == tokens + 1


def test_the_model_is_left_where_it_was(model, processor, samples):
    before = [layer.active_estimator for layer in model.quantum_layers.values()]
    exam = Exam(VisionLanguageModel(model, processor), samples[:1])
    preflight_evaluation(exam, open_backend("noisy:fake_manila"))
    assert [layer.active_estimator for layer in model.quantum_layers.values()] == before


def test_recipes_are_named_only_where_they_are_small_enough():
    backend = open_backend("noisy:fake_torino", optimization_level=0, layout_trials=1)
    config = HybridVLMConfig.recipe("tiny")
    config.blocks["vision"]["num_qubits"] = 8
    said = smaller_recipes(HybridVLM(config), backend)
    assert [text.split(":")[0].split(".")[-3] for text in said] == ["qcnn"]
    assert "small (4 qubits)" in said[0]
    assert "paper" not in said[0]
    narrow = open_backend("noisy:fake_armonk")
    assert smaller_recipes(HybridVLM(HybridVLMConfig.recipe("tiny")), narrow) == []
