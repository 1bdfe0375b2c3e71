"""Raw results as they were stored → values, offline, by the name that was recorded with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.pubs.answer import PubAnswer, checked
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.pubs.packing import shares
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.errors import LedgerError, UnknownNameError
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.store import JobStore


def decode(name: str, raw: bytes, package: Package) -> list[PubAnswer]:
    """The answers of a package's pubs.

    Args:
        name: The decoder that was recorded with the submission.
        raw: What the machine sent.
        package: What was asked.

    Raises:
        DamagedResultError: The bytes are cut off, changed, or answer something else.
        LedgerError: There is no such decoder here.
    """
    try:
        decoder = DECODERS.load(name)
    except (UnknownNameError, RegistryError) as ex:
        raise LedgerError(f"a result that needs the decoder {name!r}: {ex}") from ex
    sent = package.sent
    return checked(apart(package, checked(decoder(raw, sent), sent)), package)


def apart(package: Package, answers: Sequence[PubAnswer]) -> list[PubAnswer]:
    """The answers of a package's pubs, from those of what was sent.

    Args:
        package: What was asked.
        answers: Of `package.sent`, in its shapes.
    """
    if not package.bundles:
        return list(answers)
    found: dict[int, PubAnswer] = {}
    for members, answer in zip(package.bundles, answers, strict=True):
        pubs = [package.pubs[i] for i in members]
        own = shares(pubs, answer.evs, answer.stds, answer.metadata)
        parts = [PubAnswer(one.evs, one.stds, one.metadata) for one in own]
        found.update(zip(members, parts, strict=True))
    return [found[i] for i in range(len(package.pubs))]


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
    asked = replace(package, tag=submission.tag)
    return decode(submission.decoder, store.blobs.get(submission.raw), asked)
