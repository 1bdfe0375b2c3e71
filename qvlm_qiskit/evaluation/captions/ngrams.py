"""How often each run of one to four tokens is in a caption."""

from __future__ import annotations

from collections import Counter

LONGEST = 4

Ngrams = Counter[tuple[str, ...]]


def ngrams(tokens: str) -> Ngrams:
    """Counts of all runs of 1 to 4 tokens.

    Args:
        tokens: Joined by spaces.
    """
    words = tokens.split()
    return Counter(
        tuple(words[start : start + n])
        for n in range(1, LONGEST + 1)
        for start in range(len(words) - n + 1)
    )
