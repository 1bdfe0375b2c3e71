"""The process of one detached local job.

``python -m qvlm_qiskit.jobs.services.local_process FOLDER`` runs it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import QVLMError
from qvlm_qiskit.jobs.services.local import run_package, write


def main(folder: Path) -> None:
    """Run the package of a job folder on the machine that it names.

    The lock of the folder is inherited, and held until the process ends.
    """
    if (folder / "error").exists():  # cancelled before this process had a name
        return
    try:
        package = Package.from_bytes((folder / "package.zip").read_bytes())
        machine = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
        device = open_backend(machine.pop("name"), **machine).device
        content = run_package(device, package)
    except QVLMError as ex:
        write(folder / "error", str(ex).encode())
        return
    if not (folder / "error").exists():
        write(folder / "result", content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
