"""Raw results as they were stored → values, offline, by the name that was recorded with them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.answer import DamagedResultError, PubAnswer, checked, plain
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.package import UNREADABLE, Package
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.store import JobStore

Decoder = Callable[[bytes, Package], list[PubAnswer]]

LOCAL = "local-1"
EXECUTOR = "runtime-executor-1"
LEGACY = "runtime-estimator-1"


def decode(name: str, raw: bytes, package: Package) -> list[PubAnswer]:
    """The answers of a package's pubs.

    Args:
        name: The decoder that was recorded with the submission.
        raw: What the machine sent.
        package: What was asked.

    Raises:
        DamagedResultError: The bytes are cut off, changed, or answer something else.
        LedgerError: This release has no such decoder.
    """
    if name not in DECODERS:
        raise LedgerError(
            f"a result that needs the decoder {name!r}; this release has "
            f"{', '.join(sorted(DECODERS))}"
        )
    return checked(DECODERS[name](raw, package), package)


def redecode(store: JobStore, submission: Submission) -> list[PubAnswer]:
    """The answers of a submission from its raw bytes on disk, without any machine.

    Raises:
        DamagedBlobError: The bytes are missing or have changed.
        DamagedResultError: They don't answer the package.
        LedgerError: Nothing was fetched yet, what was asked is damaged, or this release can't
            decode the result.
    """
    try:
        package = Package.from_bytes(store.blobs.get(submission.package))
    except DamagedBlobError as ex:
        raise LedgerError(f"what submission {submission.id} asked can't be read: {ex}") from ex
    if submission.raw is None:
        raise LedgerError(f"submission {submission.id} has no stored result")
    return decode(submission.decoder, store.blobs.get(submission.raw), package)


def encode_local(answers: Sequence[PubAnswer]) -> bytes:
    """The raw result of a local job: a ZIP with arrays and metadata, nothing pickled."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        about = [plain(dict(answer.metadata)) for answer in answers]
        archive.writestr("metadata.json", json.dumps(about, allow_nan=False))
        for number, answer in enumerate(answers):
            for kind, values in (("evs", answer.evs), ("stds", answer.stds)):
                content = io.BytesIO()
                np.save(content, np.asarray(values, dtype="<f8"), allow_pickle=False)
                archive.writestr(f"{kind}-{number}.npy", content.getvalue())
    return buffer.getvalue()


def _decode_local(raw: bytes, _: Package) -> list[PubAnswer]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            about = json.loads(archive.read("metadata.json"))
            return [
                PubAnswer(_array(archive, f"evs-{n}"), _array(archive, f"stds-{n}"), dict(metadata))
                for n, metadata in enumerate(about)
            ]
    except UNREADABLE as ex:
        raise DamagedResultError(f"a local result can't be read: {ex}") from ex


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[np.float64]:
    content = io.BytesIO(archive.read(f"{name}.npy"))
    return np.asarray(np.load(content, allow_pickle=False), dtype=np.float64)


def _decode_executor(raw: bytes, package: Package) -> list[PubAnswer]:
    from qvlm_qiskit.jobs.services.decode_runtime import decode_executor

    return decode_executor(raw, package)


def _decode_legacy(raw: bytes, package: Package) -> list[PubAnswer]:
    from qvlm_qiskit.jobs.services.decode_runtime import decode_legacy

    return decode_legacy(raw, package)


DECODERS: dict[str, Decoder] = {
    LOCAL: _decode_local,
    EXECUTOR: _decode_executor,
    LEGACY: _decode_legacy,
}
