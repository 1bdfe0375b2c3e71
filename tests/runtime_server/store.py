"""A folder in which accepted jobs outlive the server."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any


class JobFolder:
    """One JSON file for each job, replaced as a whole.

    Args:
        path: The folder; made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def load(self) -> list[dict[str, Any]]:
        """The fields of every stored job, oldest first."""
        files = self.path.glob("job-*.json")
        stored = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return sorted(stored, key=lambda fields: fields["created"])

    def save(self, record: Any) -> None:
        """Write a job."""
        temporary = self.path / f"{record.id}.tmp"
        temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
        os.replace(temporary, self._file(record.id))  # noqa: PTH105

    def remove(self, job_id: str) -> None:
        """Forget a job."""
        self._file(job_id).unlink(missing_ok=True)

    def _file(self, job_id: str) -> Path:
        return self.path / f"{job_id}.json"
