"""Results as text, one module for each benchmark; this file writes what goes into their cells."""

from __future__ import annotations

from typing import Any


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def spread_text(times: dict[str, Any]) -> str:
    """Median and quartiles in ms, in seconds above 10 s."""
    unit = 1000 if times["median"] >= 10_000 else 1
    median, low, high = (number(times[key] / unit) for key in ("median", "low", "high"))
    return f"{median} [{low}–{high}]{' s' if unit > 1 else ''}"


def columns(*cells: str) -> str:
    """One line of a table of circuits."""
    widths = (-27, -7, -19, -19, 7, 5, 5)
    aligned = [f"{c:<{-w}}" if w < 0 else f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)]
    return " ".join(aligned).rstrip()
