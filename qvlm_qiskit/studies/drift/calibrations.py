"""From what was asked for to calibrations, each with what tells it from all others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from qvlm_qiskit.backends.devices.fake_files import fake_qubits
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.noise_models import NoiseSpec

CLIENT = "qiskit-ibm-runtime"


@dataclass(frozen=True)
class Calibration:
    """One calibration of one device.

    Attributes:
        name: A fake device, or the path of a file, as ``noisy:`` takes it.
        content: What decides its numbers: a digest of the file, or the fake device and the version
            of the client that ships it.
    """

    name: str
    content: str


def calibrations(asked: Sequence[str], qubits: int) -> list[Calibration]:
    """The calibrations of a study.

    Args:
        asked: Fake devices, files, folders of files; empty = every fake device of enough qubits.
        qubits: Of the widest circuit.

    Raises:
        InputError: A folder without files, a file without the date of a calibration, fewer qubits
            than the widest circuit has, or one calibration twice.
        UnknownNameError: No such fake device.
        NoiseModelError: A file that is no noise description.
    """
    fakes = fake_qubits()
    names = list(asked) or [name for name, count in fakes.items() if count >= qubits]
    found = [one for name in names for one in _found(name, qubits)]
    named: dict[str, str] = {}
    for one in found:
        if (other := named.setdefault(one.content, one.name)) is not one.name:
            raise InputError(f"{other} and {one.name} are the same calibration")
    return found


def _found(name: str, qubits: int) -> list[Calibration]:
    place = Path(name)
    if place.is_dir():
        files = sorted(place.glob("*.json"))
        if not files:
            raise InputError(f"{place} holds no file of qvlm noise save (*.json)")
        return [_of_file(file, qubits) for file in files]
    if place.suffix == ".json":
        return [_of_file(place, qubits)]
    return [_of_fake(name, qubits)]


def _of_fake(name: str, qubits: int) -> Calibration:
    known = fake_qubits()
    if name not in known:
        raise UnknownNameError("fake device", name, known)
    if known[name] < qubits:
        raise InputError(f"{name} has {known[name]} qubits, and a block has {qubits}")
    return Calibration(name, f"{name} of {CLIENT} {version(CLIENT)}")


def _of_file(file: Path, qubits: int) -> Calibration:
    spec = NoiseSpec.load(file)
    if spec.snapshot is None or spec.snapshot.calibrated_utc is None:
        raise InputError(f"{file} has no date of a calibration: save one with qvlm noise save")
    if len(spec.qubits) < qubits:
        raise InputError(f"{file} has {len(spec.qubits)} qubits, and a block has {qubits}")
    return Calibration(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
