"""The tables of a study of kernels for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.reports.templates import interval

Results = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


def printed(results: Results) -> list[Printed]:
    """The tables of each part that has rows."""
    return [
        *_for_each_set(results["classification"], _classification),
        *_for_each_set(results["alignment"], _alignment),
        *_for_each_set(results["regression"], _regression),
        *(
            make(results[name])
            for name, make in (
                ("concentration", _concentration),
                ("independence", _independence),
                ("graphs", _graphs),
            )
            if results[name]
        ),
    ]


def _for_each_set(rows: Rows, make: Callable[[str, Rows], Printed]) -> list[Printed]:
    subjects = dict.fromkeys(one["subject"] for one in rows)
    return [make(name, [one for one in rows if one["subject"] == name]) for name in subjects]


def _classification(subject: str, rows: Rows) -> Printed:
    return Printed(
        f"{subject}: accuracy, and difference from the (aligned) Gaussian kernel, 95 %",
        ("kernel", ">accuracy, %", ">points"),
        [[one["model"], _percent(one["accuracy"]), _points(one["difference"])] for one in rows],
    )


def _alignment(subject: str, rows: Rows) -> Printed:
    return Printed(
        f"{subject}: alignment before → after, on new points; accuracy by it",
        ("kernel", ">alignment", ">gain", ">points"),
        [
            [
                one["model"],
                f"{one['before_unseen']['mean']:.2f} → {one['after_unseen']['mean']:.2f}",
                _plain(one["gain"], 2, sign=True),
                _points(one["accuracy"]),
            ]
            for one in rows
        ],
    )


def _regression(subject: str, rows: Rows) -> Printed:
    return Printed(
        f"{subject}: R² on new points, and difference from the Gaussian kernel, 95 %",
        ("model", ">R²", ">difference"),
        [[one["model"], _plain(one["r2"], 2), _away(one, "r2")] for one in rows],
    )


def _concentration(rows: Rows) -> Printed:
    return Printed(
        "K off the diagonal: mean and variance against qubits",
        ("map x scale", ">qubits", ">mean", ">variance"),
        [
            [one["model"], str(one["size"]), _short(one["mean"]),
             f"{one['variance']['mean']:.1e}"]
            for one in rows
        ],
    )  # fmt: skip


def _independence(rows: Rows) -> Printed:
    return Printed(
        "share of tables where independence is rejected at 5 %",
        ("case", "kernel", ">N", ">rejected, %"),
        [
            [one["subject"], one["model"], str(one["size"]), _percent(one["rejected"])]
            for one in rows
        ],
    )


def _graphs(rows: Rows) -> Printed:
    return Printed(
        "F1 of joined pairs that PC finds, and difference from the Gaussian kernel",
        ("kernel", ">N", ">F1", ">difference"),
        [[one["model"], str(one["size"]), _plain(one["f1"], 2), _away(one, "f1")] for one in rows],
    )


def _percent(entry: Mapping[str, Any]) -> str:
    return interval(entry, 100, "", scope=False)


def _points(entry: Mapping[str, Any] | None) -> str:
    return "–" if entry is None else interval(entry, 100, "", sign=True, scope=False)


def _plain(entry: Mapping[str, Any], digits: int, *, sign: bool = False) -> str:
    return interval(entry, 1, "", sign=sign, digits=digits, scope=False)


def _away(one: Mapping[str, Any], name: str) -> str:
    return "–" if one["difference"] is None else _plain(one["difference"][name], 2, sign=True)


def _short(entry: Mapping[str, Any]) -> str:
    numbers: Iterable[Any] = (entry["mean"], entry["low"], entry["high"])
    mean, *ends = ("–" if value is None else f"{value:.1e}" for value in numbers)
    return f"{mean} [{', '.join(ends)}]"
