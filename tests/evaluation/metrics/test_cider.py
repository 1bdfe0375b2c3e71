import numpy as np
import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.metrics import find_metric
from tests.evaluation.metrics import caption_cases as cases


def slow_cider(answers, references):
    """Vedantam et al. 2015, equations 1 to 5 with section 8's changes, one term after another."""

    def grams(text, n):
        words = text.split()
        return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]

    def vector(text, n, known):
        having = [
            sum(g in {h for r in refs for h in grams(r, n)} for refs in references) for g in known
        ]
        rarity = np.log(len(references) / np.maximum(having, 1))
        return np.array([grams(text, n).count(g) for g in known]) * rarity

    def likeness(answer, reference, n):
        known = sorted({*grams(answer, n), *grams(reference, n)})
        g, h = vector(answer, n, known), vector(reference, n, known)
        norm = np.linalg.norm(g) * np.linalg.norm(h)
        apart = len(grams(answer, 2)) - len(grams(reference, 2))
        return np.exp(-(apart**2) / 72) * (np.minimum(g, h) @ h / norm if norm else 0.0)

    return [
        10 * np.mean([likeness(a, r, n) for n in (1, 2, 3, 4) for r in refs])
        for a, refs in zip(answers, references, strict=True)
    ]


def test_scores_are_those_of_pycocoevalcap():
    found = find_metric("cider").scores(cases.ANSWERS, cases.REFERENCES)
    assert found == pytest.approx(cases.CIDER, rel=1e-13)


def test_scores_are_those_of_the_paper():
    found = find_metric("cider").scores(cases.ANSWERS, cases.REFERENCES)
    assert found == pytest.approx(slow_cider(cases.ANSWERS, cases.REFERENCES), rel=1e-13)


def test_the_published_fixture_of_nlg_eval():
    found = find_metric("cider").scores(*cases.NLG_EVAL)
    assert sum(found) / 2 == pytest.approx(1.242192, abs=1e-6)


def test_what_all_references_say_counts_for_nothing():
    assert find_metric("cider").scores(["a", "a"], [["a"], ["a"]]) == [0.0, 0.0]


def test_one_sample_alone_is_refused():
    with pytest.raises(InputError, match="'cider' needs at least 2 samples"):
        find_metric("cider").check_references([["a cat", "the cat"]])
