"""What the benchmarks' commands share: arguments, the machine's description, stored results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def names_of(known: tuple[str, ...]) -> Any:
    """A parser of comma-separated names."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def positive(text: str) -> int:
    """Parse a positive integer."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return value


def positives(text: str) -> list[int]:
    """Parse comma-separated positive integers."""
    return [positive(part) for part in text.split(",")]


def version_of(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """The processor, the system and its load."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def begin(options: argparse.Namespace, packages: tuple[str, ...]) -> dict[str, Any]:
    """Results without a measurement: when, by which command, with which versions, where."""
    said = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    return {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": said,
        "versions": {name: version_of(name) for name in packages},
        "machine": machine(),
    }


def store(results: dict[str, Any], path: Path | None) -> None:
    """Write results as JSON; without a path, don't."""
    if path is not None:
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")


def log(text: str) -> None:
    """Say on the standard error what is being done."""
    print(text, file=sys.stderr, flush=True)
