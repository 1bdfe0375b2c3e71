"""What makes two circuits, pubs or targets the same: SHA-256 digests of a canonical walk.

Payload bytes (QPY, Runtime JSON) differ on every encoding and object ids mean nothing after a
restart, so a key is computed from the content: every instruction with its qubits, its numbers to
the last bit, its symbolic expressions, its matrices, and the definition of every gate that is not
a standard one. Names of circuits and registers, and metadata, don't count; names of parameters do,
because bindings refer to them. What QPY changes on the way to disk and back doesn't count either:
the class of a gate that has a definition, and the order of sums and products.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    CircuitInstruction,
    ControlFlowOp,
    Delay,
    Measure,
    Parameter,
    ParameterExpression,
    Reset,
)
from qiskit.circuit.library import UnitaryGate

from qvlm_qiskit.backends.pubs.expressions import expression_bytes
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.conditions import condition_key
from qvlm_qiskit.errors import CircuitError

# Bumped when the same bytes would come to mean something else: old keys then never meet new ones.
# A new tag (the letter in front of a part) does the same for one kind of part alone.
SCHEME = b"qvlm-identity-1"

# Their class and parameters say everything; the walk doesn't ask for a definition.
_PRIMITIVE = (Barrier, Delay, Measure, Reset, UnitaryGate)

_targets: LruCache[Any, tuple[Any, str]] = LruCache(16)
_unchanged: ContextVar[dict[int, tuple[QuantumCircuit, str]] | None] = ContextVar(
    "qvlm_unchanged_circuits", default=None
)


def circuit_digest(circuit: QuantumCircuit) -> str:
    """The SHA-256 (hex) of the circuit's content.

    Raises:
        CircuitError: An instruction whose action can't be read from the circuit: an opaque gate
            without definition or matrix.
    """
    known = _unchanged.get()
    if known is None:
        return _circuit_digest(circuit)
    if id(circuit) not in known:
        known[id(circuit)] = (circuit, _circuit_digest(circuit))
    return known[id(circuit)][1]


@contextlib.contextmanager
def unchanged_circuits() -> Iterator[None]:
    """Inside, a circuit's digest is computed once: for work that asks again and changes none."""
    token = _unchanged.set({})
    try:
        yield
    finally:
        _unchanged.reset(token)


def _circuit_digest(circuit: QuantumCircuit) -> str:
    return hashlib.sha256(SCHEME + _circuit_bytes(circuit)).hexdigest()


def target_digest(target: Any) -> str:
    """The SHA-256 (hex) of what a target states: gates, connections, errors, durations, T1, T2."""
    # 0.2 s on a device of 133 qubits; a new calibration comes as a new target. Targets take no weak
    # references: the few that are remembered are kept alive, so that their ids stay theirs.
    return _targets.get(id(target), lambda: (target, _target_digest(target)))[1]


def _target_digest(target: Any) -> str:
    digest = hashlib.sha256(SCHEME)
    digest.update(repr((target.num_qubits, target.dt)).encode())
    for name in sorted(target.operation_names):
        placements = target[name] or {}
        stated = sorted(
            (operands or (), getattr(p, "error", None), getattr(p, "duration", None))
            for operands, p in placements.items()
        )
        digest.update(_framed(repr((name, stated)).encode()))
    for properties in target.qubit_properties or ():
        times = tuple(getattr(properties, key, None) for key in ("t1", "t2", "frequency"))
        digest.update(_framed(repr(times).encode()))
    return digest.hexdigest()


def pub_digest(pub: Any, circuit: str | None = None) -> str:
    """The SHA-256 (hex) of circuit, observables, parameter values and precision of a pub.

    Args:
        pub: A coerced `EstimatorPub`.
        circuit: The circuit's digest when it is known already.
    """
    digest = hashlib.sha256(SCHEME)
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    precision = b"none" if pub.precision is None else float(pub.precision).hex().encode()
    for part in (
        (circuit or circuit_digest(pub.circuit)).encode(),
        observables_bytes(pub.observables),
        repr(tuple(pub.parameter_values.shape)).encode(),
        np.ascontiguousarray(values, dtype="<f8").tobytes(),
        precision,
    ):
        digest.update(_framed(part))
    return digest.hexdigest()


def observables_bytes(observables: Any) -> bytes:
    """Canonical bytes of an `ObservablesArray`: shape, then each observable's sorted terms."""
    parts = [repr((tuple(observables.shape), observables.num_qubits)).encode()]
    for observable in observables.sparse_observables_array().ravel():
        terms = sorted(
            (tuple(int(q) for q in qubits), letters, float(coefficient.real).hex())
            for letters, qubits, coefficient in (
                _sorted_term(*term) for term in observable.to_sparse_list()
            )
        )
        parts.append(repr(terms).encode())
    return b"".join(_framed(part) for part in parts)


def _sorted_term(letters: str, qubits: Any, coefficient: complex) -> tuple[str, Any, complex]:
    order = sorted(range(len(qubits)), key=lambda i: qubits[i])
    return "".join(letters[i] for i in order), [qubits[i] for i in order], coefficient


def _framed(part: bytes) -> bytes:
    """The length goes in front, so that no two sequences of parts can read the same."""
    return len(part).to_bytes(8, "little") + part


def _circuit_bytes(circuit: QuantumCircuit) -> bytes:
    data = circuit.data  # first: a circuit of the library builds itself here
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    clbit = {bit: i for i, bit in enumerate(circuit.clbits)}
    parts = [
        repr((circuit.num_qubits, circuit.num_clbits)).encode(),
        _value_bytes(circuit.global_phase),
        repr([parameter.name for parameter in circuit.parameters]).encode(),
    ]
    for instruction in data:
        qubits = [index[bit] for bit in instruction.qubits]
        clbits = [clbit[bit] for bit in instruction.clbits]
        parts.append(repr((instruction.name, qubits, clbits)).encode())
        parts.append(_instruction_bytes(instruction, clbit))
    return b"".join(_framed(part) for part in parts)


def _instruction_bytes(instruction: Any, clbit: Mapping[Any, int]) -> bytes:
    if instruction.is_standard_gate():
        return b"S" + b"".join(_framed(_value_bytes(value)) for value in instruction.params)
    # Only the operation itself has all parameters: the instruction leaves matrices out.
    operation = instruction.operation
    if isinstance(operation, ControlFlowOp):
        decided = repr(condition_key(operation, clbit)).encode()
        blocks = (hashlib.sha256(_circuit_bytes(block)).digest() for block in operation.blocks)
        return b"F" + b"".join(_framed(part) for part in (decided, *blocks))
    parts = [_value_bytes(value) for value in getattr(operation, "params", ())]
    parts.append(repr(getattr(operation, "ctrl_state", None)).encode())
    parts.append(repr(getattr(operation, "unit", None)).encode())
    if isinstance(operation, _PRIMITIVE):
        kind = type(operation)
        parts.append(f"{kind.__module__}.{kind.__qualname__}".encode())
        return b"C" + b"".join(_framed(part) for part in parts)
    if isinstance(operation, AnnotatedOperation):
        parts.append(repr(operation.modifiers).encode())
        base = CircuitInstruction(operation.base_op, QuantumRegister(operation.base_op.num_qubits))
        parts.append(repr(base.name).encode())
        parts.append(_instruction_bytes(base, {}))
        return b"M" + b"".join(_framed(part) for part in parts)
    # Walked at every call: a definition is a circuit that anybody may change in place.
    parts.append(_definition_bytes(operation))
    return b"D" + b"".join(_framed(part) for part in parts)


def _definition_bytes(operation: Any) -> bytes:
    definition = getattr(operation, "definition", None)
    if definition is not None:
        return hashlib.sha256(_circuit_bytes(definition)).digest()
    if not hasattr(operation, "__array__") or _symbolic(operation):
        raise CircuitError(
            f"the instruction {operation.name!r} has no definition: give it one, or "
            "decompose it, so that it can be compiled and its results be recorded"
        )
    return _value_bytes(np.asarray(operation, dtype=complex))


def _symbolic(operation: Any) -> bool:
    return any(isinstance(value, ParameterExpression) for value in getattr(operation, "params", ()))


def _value_bytes(value: Any) -> bytes:
    if isinstance(value, Parameter):
        return b"P" + str(value.name).encode()
    if isinstance(value, ParameterExpression):
        return expression_bytes(value)
    if isinstance(value, bool | str):
        return b"V" + repr(value).encode()
    if isinstance(value, int | np.integer):
        return b"I" + str(int(value)).encode()
    if isinstance(value, float | np.floating):
        return b"F" + float(value).hex().encode()
    if isinstance(value, complex | np.complexfloating):
        return b"Z" + f"{float(value.real).hex()},{float(value.imag).hex()}".encode()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        plain = np.ascontiguousarray(value)
        return b"A" + repr((plain.dtype.str, plain.shape)).encode() + bytes(plain.tobytes())
    if value is None:
        return b"N"
    if isinstance(value, Iterable):
        return b"L" + b"".join(_framed(_value_bytes(item)) for item in value)
    raise CircuitError(f"a parameter of type {type(value).__name__} has no canonical form here")
