"""An estimator that answers from the ledger what was asked before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from qiskit import qasm3
from qiskit.exceptions import QiskitError
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.backend import installed_versions
from qvlm_qiskit.backends.identity import pub_digest
from qvlm_qiskit.backends.job import FinishedJob, MappedJob
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import Ledger, StoredResult

KEY_SCHEME = "qvlm-record-1"


def record_key(pub: EstimatorPub, context: Mapping[str, Any]) -> str:
    """The ledger key of a pub on a device: a SHA-256 in hexadecimal.

    It covers the circuit's canonical identity, the observables, the bytes of the parameter
    values, the precision, and the context; a change of any of them gives another key. Versions of
    packages are recorded but not part of the key, so an upgrade loses no results.

    Args:
        pub: A coerced pub.
        context: What else the answer depends on (device, options, seed, noise), JSON-able.

    Raises:
        LedgerError: The context is not JSON-able.
        CircuitError: The circuit has no canonical identity.
    """
    try:
        described = json.dumps(context, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as ex:
        raise LedgerError(f"the context of a record must be JSON-able: {ex}") from ex
    content = "\n".join((KEY_SCHEME, pub_digest(pub), described))
    return hashlib.sha256(content.encode()).hexdigest()


class Recorded(BaseEstimatorV2):
    """Serves known pubs from a ledger and runs the others in one inner job, storing them.

    Answers carry evs and stds only, fresh or stored, and say in ``metadata["record"]`` which of
    the two they are. New answers are stored when the job's result is asked for. Fits
    `Backend.recorded`: ``backend.recorded(lambda device, about: Recorded(device, ledger, about))``.

    Args:
        estimator: The device's estimator.
        ledger: The store.
        context: What the answers depend on beside the pub, such as
            `Backend.device_description()`.
    """

    def __init__(
        self, estimator: BaseEstimatorV2, ledger: Ledger, context: Mapping[str, Any]
    ) -> None:
        self.inner = estimator
        self.ledger = ledger
        self.context = dict(context)

    def run(
        self, pubs: Iterable[Any], *, precision: float | None = None
    ) -> FinishedJob | MappedJob:
        """Answer the pubs; equal ones are asked once.

        Args:
            pubs: Pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            LedgerError: A stored answer is damaged or of another version.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        keys = [record_key(pub, self.context) for pub in coerced]
        stored = {key: self.ledger.load(key) for key in set(keys) if key in self.ledger}
        missing = {key: pub for key, pub in zip(keys, coerced, strict=True) if key not in stored}
        if not missing:
            return FinishedJob(_assembled(keys, stored, fresh=()))

        def keep(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            for (key, pub), answer in zip(missing.items(), result, strict=True):
                stored[key] = self.ledger.store(
                    key, answer.data.evs, answer.data.stds, self._record(pub, answer)
                )
            return _assembled(keys, stored, fresh=missing)

        return MappedJob(self.inner.run(list(missing.values())), keep)

    def _record(self, pub: EstimatorPub, answer: Any) -> dict[str, Any]:
        text, reason = _qasm3(pub)
        return {
            "context": self.context,
            "circuit_qasm3": text,
            "circuit_not_exported": reason,
            "num_qubits": pub.circuit.num_qubits,
            "observables": _observables(pub),
            "observables_shape": list(pub.observables.shape),
            "parameters": [parameter.name for parameter in pub.circuit.parameters],
            "parameters_shape": list(pub.parameter_values.shape),
            "precision": pub.precision,
            "metadata": _plain(answer.metadata),
            "versions": installed_versions(),
        }


def _assembled(
    keys: list[str], stored: Mapping[str, StoredResult], fresh: Iterable[str]
) -> PrimitiveResult[Any]:
    new = set(fresh)
    answers = []
    for key in keys:
        entry = stored[key]
        about = {
            "key": key,
            "source": "device" if key in new else "ledger",
            "created_utc": entry.record["created_utc"],
        }
        data = DataBin(evs=entry.evs.copy(), stds=entry.stds.copy(), shape=entry.evs.shape)
        answers.append(PubResult(data, {**entry.record["metadata"], "record": about}))
    return PrimitiveResult(answers, metadata={"version": 2})


def _observables(pub: EstimatorPub) -> list[list[list[Any]]]:
    """Per observable, its terms as [letters, qubits, coefficient]."""
    return [
        [
            [letters, [int(qubit) for qubit in qubits], float(coefficient.real)]
            for letters, qubits, coefficient in observable.to_sparse_list()
        ]
        for observable in pub.observables.sparse_observables_array().ravel()
    ]


def _qasm3(pub: EstimatorPub) -> tuple[str | None, str | None]:
    """The circuit's text, or the reason why it has none; the key doesn't depend on it."""
    try:
        return qasm3.dumps(pub.circuit), None
    except QiskitError as ex:
        return None, str(ex)


def _plain(value: Any) -> Any:
    """The JSON-able part of a device's metadata; the rest as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else repr(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
