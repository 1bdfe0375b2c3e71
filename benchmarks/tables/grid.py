"""The grid as text of at most 100 columns, and what it says of the goals."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from tables import number

Cell = dict[str, Any]


def render_grid(results: Cell) -> str:
    """A table per number of threads, then what was left out, and the sums."""
    cells = results["cells"]
    threads = sorted({entry["threads"] for cell in cells for entry in cell["measured"]})
    machine, dates = results["machine"], results.get("dates", [results["date"]])
    lines = [f"{dates[0]}, {machine['cpu']}, {machine['cores']} cores"]
    # cells of several runs: the columns of one cell are always of one
    lines += [f"and {', '.join(dates[1:])}"] if dates[1:] else []
    kind = "complex128" if results["command"].get("double") else "complex64"
    lines += [f"Lower quartiles in ms of forward + backward, {kind}, everybody in turn.", ""]
    for count in threads:
        lines += _table(cells, count)
    lines += [f"left out: {results['left_out']}", *_sums(cells, threads)]
    return "\n".join(lines) + "\n"


def low(cell: Cell, peer: str, threads: int) -> float | None:
    """Lower quartile in ms; None where it was not measured."""
    for entry in cell["measured"]:
        if (entry["peer"], entry["threads"]) == (peer, threads):
            return float(entry["both_ms"]["low"])
    return None


def best_peer(cell: Cell, threads: int) -> tuple[str, float] | None:
    """The fastest of the others and its time."""
    others = [e for e in cell["measured"] if e["peer"] != "ours" and e["threads"] == threads]
    found = min(others, key=lambda e: e["both_ms"]["low"], default=None)
    return None if found is None else (found["peer"], float(found["both_ms"]["low"]))


def _table(cells: list[Cell], threads: int) -> Iterator[str]:
    yield f"{threads} thread{'s' if threads > 1 else ''}"
    yield f"{'n':>3} {'B':>4} {'ours':>8} {'best peer':>9} {'':<13} {'×':>6} {'floor':>7} {'×':>6}"
    for cell in cells:
        ours, best = low(cell, "ours", threads), best_peer(cell, threads)
        if ours is None:
            continue
        line = f"{cell['n']:>3} {cell['batch']:>4} {number(ours):>8} "
        line += (
            f"{'–':>9} {'':<13} {'':>6} "
            if best is None
            else (f"{number(best[1]):>9} {best[0]:<13} {number(best[1] / ours):>6} ")
        )
        floor = cell.get("floor_ms", {}).get(str(threads))
        line += f"{'':>14}" if floor is None else f"{number(floor):>7} {number(ours / floor):>6}"
        yield f"{line}  {', '.join(marks(cell, threads))}".rstrip()
    yield ""


def marks(cell: Cell, threads: int) -> list[str]:
    """What is wrong with a cell: slower than a peer, than one thread, than twice the floor."""
    found = []
    ours, best, one = low(cell, "ours", threads), best_peer(cell, threads), low(cell, "ours", 1)
    floor = cell.get("floor_ms", {}).get(str(threads))
    if ours is None:
        return found
    if best is not None and ours > best[1]:
        found.append("SLOWER")
    if threads > 1 and one is not None and ours > 1.05 * one:
        found.append("one thread is faster")
    if floor is not None and ours > 2 * floor:
        found.append("over 2 floors")
    return found


def _sums(cells: list[Cell], threads: list[int]) -> Iterator[str]:
    for count in threads:
        rated = [(c, low(c, "ours", count), best_peer(c, count)) for c in cells]
        ratios = [best[1] / ours for _, ours, best in rated if ours and best]
        if not ratios:
            continue
        slower = sum(ratio < 1 for ratio in ratios)
        against = sum("one thread is faster" in marks(c, count) for c in cells)
        floors = [
            ours / c["floor_ms"][str(count)] for c, ours, _ in rated if ours and "floor_ms" in c
        ]
        yield (
            f"{count} thr.: {number(median(ratios))} × the best peer in the median of "
            f"{len(ratios)} cells, {number(min(ratios))} at least; slower in {slower}"
            + (f"; slower than one thread in {against}" if count > 1 else "")
        )
        if floors:
            yield f"{count} thr.: {number(median(floors))} floors in the median, " + (
                f"{number(max(floors))} at most, n ≥ 16"
            )
