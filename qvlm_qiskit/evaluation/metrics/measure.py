"""Several metrics of one set of answers, with what decided their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.captions.tokenizer import Tokenizer, check_tokenizer, find_tokenizer
from qvlm_qiskit.evaluation.metrics.metric import (
    Array,
    Measured,
    References,
    TextMetric,
    TokenMetric,
    TokenScores,
    VerdictMetric,
)
from qvlm_qiskit.evaluation.metrics.registry import AnyMetric, find_metric


@dataclass(frozen=True)
class Material:
    """What metrics are computed of.

    Attributes:
        answers: As generated, one per sample.
        references: Per sample, all answers that people gave, or captions that they wrote.
        right: Which answers the data set accepts; by default those that are one of their
            references, word for word.
        tokens: Of the same samples, for metrics of tokens; None where no metric needs them.
        kinds: Kind of each question; None where they are not told apart.
    """

    answers: Sequence[str]
    references: References
    right: Sequence[bool] | None = None
    tokens: TokenScores | None = None
    kinds: Sequence[str] | None = None

    @property
    def verdicts(self) -> Sequence[bool]:
        """Which answers are right."""
        if self.right is not None:
            return self.right
        return [a in texts for a, texts in zip(self.answers, self.references, strict=True)]


@dataclass(frozen=True)
class Measurement:
    """Values of metrics.

    Attributes:
        values: In the order that was asked for.
        tokenizer: That of the caption metrics; None where there was none.
        by_kind: Kind of question → values of its samples alone; empty where there is one kind.
    """

    values: tuple[Measured, ...]
    tokenizer: Tokenizer | None = None
    by_kind: Mapping[str, tuple[Measured, ...]] = field(default_factory=dict)

    def __getitem__(self, label: str) -> Measured:
        """The number of a label ("BLEU-4").

        Raises:
            KeyError: There is none.
        """
        return {found.label: found for found in self.values}[label]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: ``metrics``, ``metrics_by_kind`` and ``tokenizer``."""
        return {
            "metrics": [found.as_dict() for found in self.values],
            "metrics_by_kind": {
                kind: [found.as_dict() for found in values] for kind, values in self.by_kind.items()
            },
            "tokenizer": None if self.tokenizer is None else self.tokenizer.as_dict(),
        }


class Metrics:
    """Metrics that were asked for by name, and the tokenizer that they share."""

    def __init__(self, names: Iterable[str], tokenizer: str = "auto") -> None:
        """Find them, and refuse what this machine can't compute before a model is run.

        Args:
            names: In any order; repeated ones count once.
            tokenizer: One of `TOKENIZERS`, for metrics of captions.

        Raises:
            QVLMError: An unknown name; or Java, a jar or a package that one of them needs is
                missing.
        """
        check_tokenizer(tokenizer)
        self.found = [find_metric(name) for name in dict.fromkeys(names)]
        for one in self.found:
            one.check()
        wanted = any(one.tokenized for one in self.found if isinstance(one, TextMetric))
        self.tokenizer = find_tokenizer(tokenizer) if wanted else None

    @property
    def need_tokens(self) -> bool:
        """Whether one of them is about the right answers' tokens, not about generated ones."""
        return any(isinstance(one, TokenMetric) for one in self.found)

    def check_references(self, references: References) -> None:
        """Refuse references that one of the metrics is not defined for.

        Raises:
            InputError: There are none, for all or for one sample; or fewer than a metric needs.
        """
        if not references:
            raise InputError("metrics need at least 1 sample")
        for index, texts in enumerate(references):
            if not texts:
                raise InputError(f"sample {index} has no reference that an answer is compared with")
        for one in self.found:
            if isinstance(one, TextMetric):
                one.check_references(references)

    def measure(self, given: Material, seed: int = 0) -> Measurement:
        """Their values and 95 % intervals.

        Args:
            given: Of at least one sample; each with at least one reference.
            seed: Of the bootstrap.

        Raises:
            InputError: Numbers of answers and references differ; or `check_references` refuses.
            ValueError: A metric of tokens, and none are given.
            QVLMError: A Java program failed.
        """
        if len(given.answers) != len(given.references):
            raise InputError(
                f"{len(given.answers)} answers and {len(given.references)} samples' references: "
                "metrics need one answer per sample"
            )
        self.check_references(given.references)
        tokenized = None if self.tokenizer is None else _tokenized(given, self.tokenizer)
        statistics = [(one, _statistics(one, given, tokenized)) for one in self.found]
        kinds = {
            kind: _values([(one, found[rows]) for one, found in statistics], seed)
            for kind, rows in _kinds(given.kinds).items()
        }
        return Measurement(_values(statistics, seed), self.tokenizer, kinds)


def _kinds(kinds: Sequence[str] | None) -> dict[str, list[int]]:
    """Kind → the numbers of its samples; empty where there is one kind."""
    found: dict[str, list[int]] = {}
    for index, kind in enumerate(kinds or ()):
        found.setdefault(kind, []).append(index)
    return found if len(found) > 1 else {}


def _values(statistics: Iterable[tuple[AnyMetric, Array]], seed: int) -> tuple[Measured, ...]:
    """The numbers of metrics, each from its own statistics."""
    return tuple(chain.from_iterable(_measured(one, found, seed) for one, found in statistics))


def _measured(one: AnyMetric, statistics: Array, seed: int) -> list[Measured]:
    """One metric's numbers."""
    estimate = one.estimate(statistics, seed)
    return [
        Measured(
            metric=one.name,
            label=label,
            value=float(value),
            low=float(low),
            high=float(high),
            unit=one.unit,
            interval=one.interval,
            samples=len(statistics),
            per_sample=tuple(statistics[:, 0].tolist()) if one.is_mean else None,
        )
        for label, value, low, high in zip(
            one.labels, estimate.value, estimate.low, estimate.high, strict=True
        )
    ]


def _statistics(one: AnyMetric, given: Material, tokenized: Material | None) -> Array:
    if isinstance(one, VerdictMetric):
        return one.statistics(given.verdicts)
    if isinstance(one, TokenMetric):
        if given.tokens is None:
            raise ValueError(f"metric {one.name!r} is about tokens, and none were given")
        return one.statistics(given.tokens)
    texts = tokenized if one.tokenized and tokenized is not None else given
    return one.statistics(texts.answers, texts.references)


def _tokenized(given: Material, tokenizer: Tokenizer) -> Material:
    """The same texts as tokens; references in one go and answers in another, as COCO does."""
    lines = iter(tokenizer.tokenize(list(chain.from_iterable(given.references))))
    references = [list(islice(lines, len(texts))) for texts in given.references]
    return Material(tokenizer.tokenize(given.answers), references)
