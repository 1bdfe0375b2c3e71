"""CIDEr as COCO's evaluation computes it, which is CIDEr-D: how near captions are to people's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.captions.ngrams import LONGEST, Ngrams, ngrams
from qvlm_qiskit.evaluation.metrics.metric import References, SampleMean
from qvlm_qiskit.evaluation.metrics.registry import register_metric

SIGMA = 6.0
"""Width of the penalty on another length, in tokens."""

Gram = tuple[str, ...]


@register_metric("cider")
class Cider(SampleMean):
    """10 × mean over n = 1 … 4 and references of a clipped cosine of tf-idf vectors.

    The vector g of a caption's n-grams is (times in it) × ln(samples / samples whose references
    have it), and a reference's similarity is Σ min(g, g′) g′ / (‖g‖ ‖g′‖) × exp(-δ²/2σ²), δ the
    difference of lengths and σ = 6. The weights are those of all samples' references; the
    bootstrap keeps them. 10 is the highest value, of captions that are their only reference.
    """

    labels = ("CIDEr",)
    unit = "tenfold mean cosine"
    bounds = (0.0, 10.0)
    tokenized = True
    source = "Vedantam et al. 2015, arXiv 1411.5726, section 8; pycocoevalcap 1.2, cider_scorer.py"

    def check_references(self, references: References) -> None:
        """Refuse one sample alone: all its weights are ln 1 = 0.

        Raises:
            InputError: There is one.
        """
        if len(references) < 2:
            raise InputError("metric 'cider' needs at least 2 samples: it weighs words by them")

    def scores(self, answers: Sequence[str], references: References) -> list[float]:
        """One similarity per sample, 0 … 10."""
        counted = [[ngrams(text) for text in texts] for texts in references]
        seen = Counter(gram for texts in counted for gram in set().union(*texts))
        rarity = {gram: math.log(len(counted) / times) for gram, times in seen.items()}
        unseen = math.log(len(counted))
        found = []
        for answer, texts in zip(answers, counted, strict=True):
            own = _Vector.of(ngrams(answer), rarity, unseen)
            alike = sum(own.likeness(_Vector.of(text, rarity, unseen)) for text in texts)
            found.append(10 * alike / len(texts))
        return found


@dataclass(frozen=True)
class _Vector:
    """tf-idf of a caption's n-grams, their norms for n = 1 … 4, and its length in pairs."""

    weights: Mapping[Gram, float]
    norms: Sequence[float]
    pairs: int

    @classmethod
    def of(cls, counts: Ngrams, rarity: Mapping[Gram, float], unseen: float) -> _Vector:
        weights = {gram: times * rarity.get(gram, unseen) for gram, times in counts.items()}
        squares = [0.0] * LONGEST
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight**2
        pairs = sum(times for gram, times in counts.items() if len(gram) == 2)
        return cls(weights, [math.sqrt(square) for square in squares], pairs)

    def likeness(self, reference: _Vector) -> float:
        """Mean over n of the clipped cosines, less for another length; 0 … 1."""
        products = [0.0] * LONGEST
        for gram, weight in self.weights.items():
            if other := reference.weights.get(gram):
                products[len(gram) - 1] += min(weight, other) * other
        norms = [one * other for one, other in zip(self.norms, reference.norms, strict=True)]
        cosines = [p / n if n else 0.0 for p, n in zip(products, norms, strict=True)]
        apart = self.pairs - reference.pairs
        return sum(cosines) / LONGEST * math.exp(-(apart**2) / (2 * SIGMA**2))
