import dataclasses
from collections import Counter, defaultdict

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases, open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Evaluation, evaluate, majority_baseline, shuffle_images
from qvlm_qiskit.evaluation.evaluate import judge


def pixels(samples):
    return [sample.image.tobytes() for sample in samples]


def test_only_an_exact_match_is_right(samples):
    (sample,) = [s for s in samples if s.kind == "caption"][:1]
    near = [
        sample.answer,
        sample.answer + " ",
        sample.answer + ".",
        sample.answer.upper(),
        sample.answer.replace(" and", ""),
        "",
    ]
    found = judge(near, [sample] * len(near))
    assert found.correct == (True, False, False, False, False, False)
    assert (found.accuracy.correct, found.accuracy.total) == (1, 6)


def test_accuracies_by_kind_add_up(samples):
    given = [s.answer if s.kind in ("sum", "left") else "nothing" for s in samples]
    found = judge(given, samples)
    assert {kind: a.value for kind, a in found.by_kind.items()} == {
        kind: float(kind in ("sum", "left")) for kind in DIGIT_QUESTIONS
    }
    assert sum(a.total for a in found.by_kind.values()) == found.accuracy.total == len(samples)
    assert sum(a.correct for a in found.by_kind.values()) == found.accuracy.correct == 16
    record = found.as_dict()
    assert record["accuracy"] == 0.4
    assert set(record["by_kind"]) == set(DIGIT_QUESTIONS)


def test_answers_that_are_missing_are_not_overlooked(samples):
    with pytest.raises(ValueError):
        judge(["1"], samples)


@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 7])
def test_the_batch_size_changes_nothing(model, processor, samples, size):
    whole = evaluate(model, processor, samples, batch_size=100)
    assert evaluate(model, processor, samples, batch_size=size) == whole
    assert isinstance(whole, Evaluation)
    assert len(set(whole.answers)) > 1
    assert whole.kinds == tuple(s.kind for s in samples)


def test_progress_ends_at_the_number_of_samples(model, processor, samples, watch):
    seen = []
    evaluate(model, processor, samples[:5], batch_size=2, track=watch(seen), what="asking")
    assert seen == [("asking", 5, [2, 4, 5])]


@pytest.mark.parametrize(("count", "size"), [(0, 10), (3, 0), (3, -1)])
def test_nothing_to_ask_is_refused(model, processor, samples, count, size):
    with pytest.raises(InputError, match="at least 1 sample"):
        evaluate(model, processor, samples[:count], batch_size=size)


def test_the_same_answers_come_from_another_exact_machine(model, processor, samples):
    here = evaluate(model, processor, samples[:10])
    with model.run_on(open_backend("aer")):
        there = evaluate(model, processor, samples[:10])
    assert there == here


def test_the_majority_answer_is_the_best_constant_of_every_kind(samples):
    training = list(DigitCanvases("train", 500, 3))
    found = majority_baseline(training, samples)
    constants = defaultdict(set)
    for kind, answer in zip(found.kinds, found.answers, strict=True):
        constants[kind].add(answer)
    for kind, answers in constants.items():
        (constant,) = answers
        counts = Counter(s.answer for s in training if s.kind == kind)
        assert counts[constant] == max(counts.values())
    assert found == judge(found.answers, samples)


def test_the_majority_of_one_answer_is_always_right(samples):
    same = [dataclasses.replace(s, answer=s.kind) for s in samples]
    assert majority_baseline(iter(same), same).accuracy.value == 1


def test_a_kind_without_training_data_is_answered_with_nothing(samples):
    training = [s for s in DigitCanvases("train", 50, 0) if s.kind != "sum"]
    found = majority_baseline(training, samples)
    assert {a for a, k in zip(found.answers, found.kinds, strict=True) if k == "sum"} == {""}
    assert found.by_kind["sum"].correct == 0


@pytest.mark.parametrize("count", [2, 3, 4, 5, 40])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_shuffling_gives_every_question_another_image(samples, count, seed):
    given = samples[:count]
    shuffled = shuffle_images(given, seed)
    assert not [i for i in range(count) if shuffled[i].image is given[i].image]
    assert sorted(pixels(shuffled)) == sorted(pixels(given))
    for before, after in zip(given, shuffled, strict=True):
        assert (after.question, after.answer, after.kind) == (
            before.question,
            before.answer,
            before.kind,
        )


def test_shuffling_is_decided_by_its_seed_and_leaves_the_samples_alone(samples):
    before = pixels(samples)
    assert pixels(shuffle_images(samples, 1)) == pixels(shuffle_images(samples, 1))
    assert pixels(shuffle_images(samples, 1)) != pixels(shuffle_images(samples, 2))
    assert pixels(samples) == before


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_can_not_be_shuffled(samples, count):
    with pytest.raises(InputError, match="at least 2"):
        shuffle_images(samples[:count])


def test_what_a_data_set_opens_is_asked_as_it_is(model, processor):
    opened = open_data("digits", "test", 4, seed=0)
    assert (
        evaluate(model, processor, opened).answers == evaluate(model, processor, [*opened]).answers
    )
