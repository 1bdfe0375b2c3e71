"""The pubs of one server job as bytes, so that any process can send, re-read or decode them.

A package is a ZIP archive without compression and without dates:

    package.json      version; per pub: its circuit's file and digest, observables, precision;
                      which pubs are sent as one, where some are
    circuit-N.qpy     each distinct circuit, in QPY
    values-N.npy      float64 (rows…, parameters) of pub N, columns in the circuit's own order

Gates of Python classes that Qiskit doesn't have come back as plain gates with the same definition.
QPY bytes differ from one encoding to the next, so a package is known by the ledger's random id and
never by a hash that is computed again. Every circuit is read again when it is written, and checked
against its digest whenever it is read. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable

from qvlm_qiskit.backends.pubs.archive import (
    UNREADABLE,
    circuit_bytes,
    read_circuit,
    unzipped,
    zipped,
)
from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest
from qvlm_qiskit.backends.pubs.packing import Bundle, merged
from qvlm_qiskit.errors import LedgerError

FORMAT = 1
INDEX = "package.json"


@dataclass(frozen=True, eq=False)
class Package:
    """The content of one server job.

    Attributes:
        pubs: ISA pubs, each with a precision where the machine needs one.
        about: How they are run, JSON-able: what `Backend.device_description` says.
        tag: Of the job that it was sent as, for decoders of results that repeat it; not in the
            bytes.
        bundles: Places of the pubs that are sent as one, see `pubs.packing`; () where each is sent
            as it is.
    """

    pubs: tuple[EstimatorPub, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    bundles: tuple[Bundle, ...] = ()

    @property
    def sent(self) -> Package:
        """What the machine is asked: the members of every bundle as one pub."""
        if not self.bundles:
            return self
        pubs = tuple(merged([self.pubs[i] for i in members]) for members in self.bundles)
        return replace(self, pubs=pubs, bundles=())

    def to_bytes(self) -> bytes:
        """The archive.

        Raises:
            CircuitError: A circuit has no canonical identity, or QPY can't hold it.
        """
        files: dict[str, bytes] = {}
        names: dict[str, str] = {}
        entries = []
        for number, pub in enumerate(self.pubs):
            digest = circuit_digest(pub.circuit)
            if digest not in names:
                names[digest] = f"circuit-{len(names)}.qpy"
                files[names[digest]] = circuit_bytes(pub.circuit, digest)
            files[f"values-{number}.npy"] = _array_bytes(
                pub.parameter_values.as_array(pub.circuit.parameters)
            )
            entries.append(
                {
                    "circuit": names[digest],
                    "circuit_digest": digest,
                    "pub_digest": pub_digest(pub, digest),
                    "num_qubits": pub.circuit.num_qubits,
                    "observables": _terms(pub.observables),
                    "observables_shape": list(pub.observables.shape),
                    "parameters_shape": list(pub.parameter_values.shape),
                    "precision": pub.precision,
                }
            )
        index = {"format": FORMAT, "about": dict(self.about), "pubs": entries}
        if self.bundles:
            index["bundles"] = [list(members) for members in self.bundles]
        return zipped({INDEX: json.dumps(index, indent=1, allow_nan=False).encode(), **files})

    @classmethod
    def from_bytes(cls, content: bytes) -> Package:
        """Read an archive, and check that it holds what was put in.

        Raises:
            LedgerError: It is damaged, of another version, or its circuits read differently.
        """
        try:
            files, index = unzipped(content, INDEX, FORMAT, "a package")
            circuits = {name: read_circuit(files[name]) for name in files if name.endswith(".qpy")}
            pubs = tuple(
                _pub(entry, circuits[entry["circuit"]], files[f"values-{number}.npy"])
                for number, entry in enumerate(index["pubs"])
            )
            bundles = _bundles(index.get("bundles", []), len(pubs))
        except LedgerError:
            raise
        except UNREADABLE as ex:
            raise LedgerError(f"a package can't be read: {ex}") from ex
        return cls(pubs, index["about"], bundles=bundles)


def _bundles(listed: Sequence[Sequence[int]], count: int) -> tuple[Bundle, ...]:
    found = tuple(tuple(int(place) for place in members) for members in listed)
    places = sorted(place for members in found for place in members)
    if found and places != list(range(count)):
        raise LedgerError("a package's bundles are not those of its pubs")
    return found


def _pub(entry: Mapping[str, Any], circuit: QuantumCircuit, values: bytes) -> EstimatorPub:
    observables = [
        SparseObservable.from_sparse_list(
            [(letters, qubits, coefficient) for letters, qubits, coefficient in terms],
            entry["num_qubits"],
        )
        for terms in entry["observables"]
    ]
    array = np.empty(len(observables), dtype=object)
    array[:] = observables
    pub = EstimatorPub(
        circuit,
        # as they were written: validation would drop terms with the coefficient 0
        ObservablesArray(
            array.reshape(entry["observables_shape"]), circuit.num_qubits, validate=False
        ),
        BindingsArray({tuple(circuit.parameters): np.load(io.BytesIO(values), allow_pickle=False)})
        if circuit.num_parameters
        else BindingsArray({}, shape=tuple(entry["parameters_shape"])),
        entry["precision"],
    )
    if pub_digest(pub) != entry["pub_digest"]:
        raise LedgerError("a package's circuit reads differently from what was written")
    return pub


def _terms(observables: ObservablesArray) -> list[list[list[Any]]]:
    """Per observable, its terms as [letters, qubits, coefficient]."""
    return [
        [
            [letters, [int(qubit) for qubit in qubits], float(coefficient.real)]
            for letters, qubits, coefficient in observable.to_sparse_list()
        ]
        for observable in observables.sparse_observables_array().ravel()
    ]


def _array_bytes(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, dtype="<f8"), allow_pickle=False)
    return buffer.getvalue()
