import hashlib
from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.data.digits import source_indices, vocabulary_texts
from qvlm_qiskit.data.registry import TRAIN_APART, open_data
from qvlm_qiskit.errors import InputError, UnknownNameError


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def content(sample):
    return (sample.image.tobytes(), sample.kind, sample.question, sample.answer, sample.sources)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_seed_gives_the_same_samples_again(split):
    one, same = DigitCanvases(split, 40, seed=3), DigitCanvases(split, 40, seed=3)
    assert [content(s) for s in one] == [content(s) for s in same]
    assert content(one[7]) == content(one[7])


def test_other_seeds_and_splits_give_other_samples():
    sources = {
        (split, seed): tuple(s.sources for s in DigitCanvases(split, 40, seed=seed))
        for split in ("train", "test")
        for seed in (0, 1, 2)
    }
    assert len(set(sources.values())) == 6


def test_no_digit_image_is_in_both_splits():
    train, test = set(source_indices("train")), set(source_indices("test"))
    assert train.isdisjoint(test)
    assert len(train) + len(test) == 1797
    assert len(test) == pytest.approx(1797 / 4, abs=1)
    for split, allowed in (("train", train), ("test", test)):
        used = {i for s in DigitCanvases(split, 300, seed=5) for i in s.sources}
        assert used <= allowed
        assert len(used) > 200


def test_no_digit_image_of_one_split_is_pixel_by_pixel_in_the_other(digits):
    images = {
        split: {digits.images[i].tobytes() for i in source_indices(split)}
        for split in ("train", "test")
    }
    assert images["train"].isdisjoint(images["test"])


def test_every_digit_is_equally_frequent_in_both_splits(digits):
    whole = np.bincount(digits.target) / 1797
    for split in ("train", "test"):
        labels = digits.target[source_indices(split)]
        np.testing.assert_allclose(np.bincount(labels) / len(labels), whole, atol=0.005)


ANSWERS = {
    "left": lambda left, right: f"{left}",
    "right": lambda left, right: f"{right}",
    "larger": lambda left, right: f"{left if left > right else right}",
    "sum": lambda left, right: f"{left + right}",
    "caption": lambda left, right: f"a {left} on the left and a {right} on the right",
}


def test_answers_are_right_for_the_labels(digits):
    assert set(ANSWERS) == set(DIGIT_QUESTIONS)
    for sample in DigitCanvases("test", 200, seed=2):
        left, right = (int(digits.target[i]) for i in sample.sources)
        assert sample.answer == ANSWERS[sample.kind](left, right)
        assert sample.question == DIGIT_QUESTIONS[sample.kind][0]


@pytest.mark.parametrize("size", [5, 7, 100, 103])
def test_every_kind_is_equally_frequent(size):
    counts = Counter(s.kind for s in DigitCanvases("train", size))
    assert set(counts) == set(DIGIT_QUESTIONS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_kinds_are_in_random_order():
    kinds = [s.kind for s in DigitCanvases("train", 50)]
    assert kinds != (list(DIGIT_QUESTIONS) * 10)
    assert kinds != [s.kind for s in DigitCanvases("train", 50, seed=1)]


def cell(canvas, row, column):
    return canvas[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]


def test_a_canvas_shows_its_source_digits_one_per_column(digits):
    rows_used = set()
    for sample in DigitCanvases("train", 60, seed=4):
        canvas = np.asarray(sample.image)
        assert canvas.shape == (16, 16)
        assert canvas.dtype == np.uint8
        assert sample.image.mode == "L"
        rows = []
        for column, source in enumerate(sample.sources):
            glyph = np.round(digits.images[source] * 255 / 16)
            shown = [row for row in (0, 1) if np.array_equal(cell(canvas, row, column), glyph)]
            assert len(shown) == 1
            assert not cell(canvas, 1 - shown[0], column).any()
            rows.append(shown[0])
        rows_used.add(tuple(rows))
    assert rows_used == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_pictures_say_nothing_about_the_kind_of_question():
    kinds = {}
    for sample in DigitCanvases("train", 500, seed=6):
        kinds.setdefault(sample.kind, []).append(np.asarray(sample.image).mean())
    means = [np.mean(values) for values in kinds.values()]
    assert max(means) - min(means) < 5


def test_a_data_set_is_a_sequence():
    data = DigitCanvases("train", 5)
    assert len(data) == 5
    assert len(list(data)) == 5
    assert content(data[-1]) == content(data[4])
    for index in (5, -6):
        with pytest.raises(IndexError):
            data[index]


@pytest.mark.parametrize("size", [0, -3])
def test_an_empty_data_set_is_refused(size):
    with pytest.raises(InputError, match=str(size)):
        DigitCanvases("train", size)


def test_an_unknown_split_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'validation'"):
        DigitCanvases("validaton", 5)


def test_no_digit_image_for_validation_is_trained_on_or_tested(digits):
    apart = open_data("digits", TRAIN_APART, 300, seed=2)
    held_out = open_data("digits", "validation", 300, seed=2)
    tested = set(source_indices("test"))
    shown = {i for s in held_out for i in s.sources}
    assert len(shown) > 100
    assert shown.isdisjoint(tested)
    assert shown.isdisjoint(i for s in apart for i in s.sources)
    pixels = {digits.images[i].tobytes() for i in source_indices("validation")}
    for split in (TRAIN_APART, "test"):
        assert pixels.isdisjoint(digits.images[i].tobytes() for i in source_indices(split))
    kept = {*source_indices(TRAIN_APART), *source_indices("validation")}
    assert kept == set(source_indices("train"))


def test_canvases_of_earlier_releases_are_drawn_as_before():
    digests = {
        "train": "5c0494b3f43c8cdc",
        "test": "539fbe303635140e",
    }
    for split, expected in digests.items():
        samples = DigitCanvases(split, 200, seed=11)
        text = repr(
            [(tuple(map(int, s.sources)), s.kind, s.answer, s.image.tobytes()) for s in samples]
        )
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == expected


def test_the_vocabulary_texts_hold_every_word():
    known = {word for text in vocabulary_texts() for word in text.replace("?", " ?").split()}
    known |= {word.strip(".") for word in known}
    for left in range(10):
        for right in range(10):
            for _, answer in DIGIT_QUESTIONS.values():
                assert set(answer(left, right).split()) <= known
