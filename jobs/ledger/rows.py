"""Pubs taken apart into rows, and put together again.

A row is one set of parameter values of one circuit, with the observables that meet it in the pub's
broadcast. It is what the ledger answers, so that a later call pays only for values that it has not
asked before. A row's key covers everything that the answer depends on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.pubs.digest import circuit_digest, observables_bytes
from qvlm_qiskit.errors import LedgerError

KEY_SCHEME = b"qvlm-row-1"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of one pub of a call.

    Attributes:
        key: SHA-256 in hexadecimal.
        group: Rows of equal group go into one pub: same circuit, observables and precision.
        pub: Number of the pub in the call.
        values: Parameter values, in the order of ``circuit.parameters``.
        outputs: Flat places in the pub's shape that the row fills, by observable.
        observables: Flat places of its observables in the pub's array.
    """

    key: str
    group: str
    pub: int
    values: Floats
    outputs: NDArray[np.intp]
    observables: NDArray[np.intp]


def split(pubs: Sequence[EstimatorPub], context: Mapping[str, Any]) -> list[Row]:
    """All rows of the pubs, by pub; rows that are asked twice appear twice with one key.

    Args:
        pubs: Coerced pubs.
        context: What else the answers depend on, JSON-able: machine, options, seed, policies.

    Raises:
        LedgerError: The context is not JSON-able, or a parameter value is not finite.
        CircuitError: A circuit has no canonical identity.
    """
    described = _described(context)
    return [row for number, pub in enumerate(pubs) for row in _rows(number, pub, described)]


def merge(
    rows: Iterable[Row], pubs: Sequence[EstimatorPub]
) -> list[tuple[EstimatorPub, list[Row]]]:
    """The fewest pubs that ask for the rows, each with its rows in order.

    A merged pub has the shape (observables, rows).

    Args:
        rows: Rows of different keys.
        pubs: The pubs that they were split from.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [(_merged(members, pubs[members[0].pub]), members) for members in groups.values()]


def assemble(
    pub: EstimatorPub, rows: Iterable[Row], values: Mapping[str, tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Expectation values and standard errors of a pub from those of its rows.

    Args:
        pub: The pub.
        rows: Its rows, as `split` made them.
        values: By key: (evs, stds) by observable.
    """
    evs, stds = np.empty(pub.size), np.empty(pub.size)
    for row in rows:
        evs[row.outputs], stds[row.outputs] = values[row.key]
    return evs.reshape(pub.shape), stds.reshape(pub.shape)


def _rows(number: int, pub: EstimatorPub, context: bytes) -> list[Row]:
    circuit = circuit_digest(pub.circuit).encode()
    precision = b"none" if pub.precision is None else float(pub.precision).hex().encode()
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    values = np.ascontiguousarray(values, dtype="<f8").reshape(
        pub.parameter_values.size, pub.circuit.num_parameters
    )
    if not np.isfinite(values).all():
        raise LedgerError("a parameter value is not finite: such a pub can't be run")
    sets = _places(pub.parameter_values.shape, pub.shape)
    observables = _places(pub.observables.shape, pub.shape)
    flat = pub.observables.ravel()
    known: dict[bytes, bytes] = {}
    made = []
    # By stable sorting: one search per row would take the square of a large pub.
    counts = np.bincount(sets, minlength=pub.parameter_values.size)
    places = np.split(np.argsort(sets, kind="stable"), np.cumsum(counts)[:-1])
    for index in range(pub.parameter_values.size):
        outputs = places[index]
        chosen = observables[outputs]
        marks = chosen.tobytes()
        if marks not in known:
            known[marks] = observables_bytes(flat[chosen])
        group = _digest(KEY_SCHEME, context, circuit, known[marks], precision)
        key = _digest(group.encode(), values[index].tobytes())
        made.append(Row(key, group, number, values[index], outputs, chosen))
    return made


def _places(shape: tuple[int, ...], into: tuple[int, ...]) -> NDArray[np.intp]:
    """For every flat place of a broadcast shape, the flat place in the array of `shape`."""
    own = np.arange(int(np.prod(shape, dtype=np.intp)), dtype=np.intp).reshape(shape)
    return np.broadcast_to(own, into).ravel()


def _merged(rows: Sequence[Row], pub: EstimatorPub) -> EstimatorPub:
    circuit: QuantumCircuit = pub.circuit
    observables: ObservablesArray = pub.observables.ravel()[rows[0].observables].reshape(-1, 1)
    if circuit.num_parameters:
        values = np.stack([row.values for row in rows])
        bindings = BindingsArray({tuple(circuit.parameters): values})
    else:
        bindings = BindingsArray({}, shape=(len(rows),))
    return EstimatorPub(circuit, observables, bindings, pub.precision)


def _described(context: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(context, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as ex:
        raise LedgerError(f"the context of a row must be JSON-able: {ex}") from ex
    if not _plain_names(context):
        # JSON writes 1 and "1" alike.
        raise LedgerError("the context of a row must be JSON-able: a name in it is no string")
    return text.encode()


def _plain_names(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) for name in value) and all(
            map(_plain_names, value.values())
        )
    return not isinstance(value, list | tuple) or all(map(_plain_names, value))


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # The length goes in front, so that no two sequences of parts read the same.
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
