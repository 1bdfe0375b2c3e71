"""The raw results of jobs of this computer, which other machines may use as well."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer, plain
from qvlm_qiskit.backends.pubs.archive import UNREADABLE, unpacked_bytes
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.basics.sizes import check_size

LOCAL = "local-1"


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


def decode_local(raw: bytes, _: Package) -> list[PubAnswer]:
    """The answers in what `encode_local` has written.

    Raises:
        DamagedResultError: The bytes are cut off or changed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            check_size("a local result", unpacked_bytes(archive))
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


DECODERS.enter(LOCAL, decode_local)
