"""Circuits and plain data in a ZIP archive without dates: nothing pickled, damage is an error."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from qiskit import QuantumCircuit, qpy
from qiskit.exceptions import QiskitError

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.basics.sizes import check_size
from qvlm_qiskit.errors import CircuitError, LedgerError

UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, QiskitError, KeyError, IndexError, ValueError,
    TypeError, AttributeError, EOFError, OSError, OverflowError, MemoryError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What reading a damaged archive can raise."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Deflate spends at least two bits on 258 bytes.
_MOST_DEFLATED = 1032


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive of files by name, the same for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def unzipped(content: bytes, index: str, version: int, what: str) -> tuple[dict[str, bytes], Any]:
    """The files of an archive by name, and its index.

    Args:
        content: The archive.
        index: Name of the JSON file that has the key "format".
        version: The format that is read.
        what: What it holds, for messages ("a package").

    Raises:
        LedgerError: Another format.
        TooLargeError: It unpacks to more than is read.
        Exception: One of `UNREADABLE`, where it is damaged.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_size(what, unpacked_bytes(archive))
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files[index])
    if about["format"] != version:
        raise LedgerError(f"{what} of format {about['format']!r}; this release reads {version}")
    return files, about


def unpacked_bytes(archive: zipfile.ZipFile) -> int:
    """How much there is in an archive; no file of it gives more than it states.

    Raises:
        BadZipFile: A size that no compression explains: damaged, and not large.
    """
    for entry in archive.infolist():
        if entry.file_size > _MOST_DEFLATED * entry.compress_size + 64:
            raise zipfile.BadZipFile(f"{entry.filename} states {entry.file_size} bytes")
    return sum(entry.file_size for entry in archive.infolist())


def circuit_bytes(circuit: QuantumCircuit, digest: str) -> bytes:
    """The circuit as QPY, read again at once: what would come back otherwise is not written.

    Args:
        circuit: Any that has a canonical identity.
        digest: Its `circuit_digest`.

    Raises:
        CircuitError: QPY can't hold it.
    """
    buffer = io.BytesIO()
    try:
        qpy.dump(circuit, buffer)
        same = circuit_digest(read_circuit(buffer.getvalue())) == digest
    except (QiskitError, TypeError, ValueError) as ex:
        raise CircuitError(f"the circuit {circuit.name!r} can't be stored as QPY: {ex}") from ex
    if not same:
        raise CircuitError(
            f"the circuit {circuit.name!r} can't be stored: QPY reads one of its expressions "
            "or gates differently from what was written"
        )
    return buffer.getvalue()


def read_circuit(content: bytes) -> QuantumCircuit:
    """The circuit in QPY bytes."""
    (circuit,) = qpy.load(io.BytesIO(content))
    return circuit
