"""From Aer's noise model to a `NoiseSpec`, where all of it can be said by one.

A model has no public way to list its errors, hence the private names. Every quantum error becomes
the Pauli transfer matrix of its channel, so that Pauli, depolarizing, relaxation, Kraus and
superoperator errors are read alike, and exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from qiskit.circuit import Delay
from qiskit.quantum_info import PTM, SuperOp
from qiskit_aer.noise import NoiseModel
from qiskit_aer.noise.passes import RelaxationNoisePass

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.channel_matrix import MAX_WIDTH, as_rows
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.description.gates import standard_gates
from qvlm_qiskit.noise_models.description.sources import ReadoutError
from qvlm_qiskit.noise_models.description.spec import NoiseSpec

Qubits = tuple[int, ...]
Times = tuple[float | None, float | None]


def read_noise_model(model: NoiseModel, name: str = "NoiseModel") -> NoiseSpec:
    """The noise of an Aer `NoiseModel` as a description.

    A model whose errors all count for every qubit gives a description of any width. Where some are
    of stated qubits, the description has the qubits 0 to the highest that is named. If two-qubit
    gates have errors on stated pairs, these pairs are the device's couplings, and its two-qubit
    gates are those that have an error there or on all qubits; else every pair is coupled.

    Args:
        model: The model; it may be free of noise.
        name: Of the description.

    Raises:
        NoiseModelError: Something in the model can't be said by a description; it says what.
    """
    times = _relaxation(model._custom_noise_passes)  # noqa: SLF001
    errors = dict(_errors(model))
    readout = _readouts(model)
    count = _width(errors, readout, times)
    gates = [*_gates(errors), *_free_pairs(model, errors, count)]
    default = readout.pop((), (0.0, 0.0))
    named = sorted({gate.name for gate in gates} | (set(model.basis_gates) & set(standard_gates())))
    return NoiseSpec(
        name=name,
        basis_gates=(*named, "delay", "measure"),
        qubits=tuple(
            QubitNoise(*times.get(q, (None, None)), *readout.get((q,), default))
            for q in range(count)
        ),
        gates=tuple(gates),
        sources=(ReadoutError(*default),) if any(default) and not count else (),
    )


def _errors(model: NoiseModel) -> Iterator[tuple[tuple[str, Qubits], Any]]:
    """((gate, qubits), quantum error); no qubits for an error that counts for all."""
    for name, error in model._default_quantum_errors.items():  # noqa: SLF001
        yield (_known(name, error), ()), error
    for name, placed in model._local_quantum_errors.items():  # noqa: SLF001
        for qubits, error in placed.items():
            yield (_known(name, error), tuple(int(q) for q in qubits)), error


def _known(name: str, error: Any) -> str:
    """The name of an instruction that errors may follow.

    Raises:
        NoiseModelError: It is none.
    """
    if name == "measure":
        raise NoiseModelError(
            "the noise model has a quantum error on 'measure', which acts before the readout: a "
            "description has readout errors only"
        )
    gate = standard_gates().get(name)
    if gate is None:
        raise NoiseModelError(
            f"the noise model has an error on {name!r}: that is a label or an instruction, and no "
            "standard Qiskit gate"
        )
    if gate.num_qubits != error.num_qubits:
        raise NoiseModelError(
            f"the noise model has an error of {error.num_qubits} qubits on {name!r}, which acts on "
            f"{gate.num_qubits}"
        )
    if gate.num_qubits > MAX_WIDTH:
        raise NoiseModelError(
            f"the noise model has an error on {name!r}, a gate on {gate.num_qubits} qubits; "
            f"descriptions have channels of at most {MAX_WIDTH}"
        )
    return name


def _gates(errors: dict[tuple[str, Qubits], Any]) -> list[GateNoise]:
    """Every error as a gate's channel; one for all qubits also on the pairs that are coupled."""
    pairs = list(dict.fromkeys(qubits for _, qubits in errors if len(qubits) == 2))
    found = []
    for (name, qubits), error in errors.items():
        width, rows = error.num_qubits, _rows(name, error)
        anywhere = width == 2 and not qubits and bool(pairs)
        places = [p for p in pairs if (name, p) not in errors] if anywhere else [qubits]
        found += [GateNoise(name, place, width, channel=rows) for place in places]
    return found


def _rows(name: str, error: Any) -> Any:
    try:
        channel = PTM(SuperOp(error))
    except Exception as ex:  # whatever an instruction without a channel makes of it
        raise NoiseModelError(f"the error on {name!r} is no channel of gates: {ex}") from ex
    return as_rows(np.asarray(channel.data).real)


def _free_pairs(
    model: NoiseModel, errors: dict[tuple[str, Qubits], Any], count: int
) -> list[GateNoise]:
    """Two-qubit gates of the basis without an error, where no pairs are said to be coupled."""
    if not count or any(len(qubits) == 2 for _, qubits in errors):
        return []
    known = standard_gates()
    return [
        GateNoise(name, (), 2)
        for name in model.basis_gates
        if name in known and known[name].num_qubits == 2 and (name, ()) not in errors
    ]


def _readouts(model: NoiseModel) -> dict[Qubits, tuple[float, float]]:
    """p(1|0) and p(0|1) by qubit; under () those of all others."""
    given: dict[Qubits, Any] = {
        tuple(int(q) for q in qubits): error
        for qubits, error in model._local_readout_errors.items()  # noqa: SLF001
    }
    if model._default_readout_error is not None:  # noqa: SLF001
        given[()] = model._default_readout_error  # noqa: SLF001
    for qubits in given:
        if len(qubits) > 1:
            raise NoiseModelError(
                f"the noise model has a readout error of the qubits {list(qubits)} together; "
                "descriptions have one for each qubit"
            )
    found = {}
    for qubits, error in given.items():
        matrix = np.asarray(error.probabilities, dtype=float)
        found[qubits] = float(matrix[0, 1]), float(matrix[1, 0])
    return found


def _relaxation(passes: Iterable[Any]) -> dict[int, Times]:
    """T1 and T2 in µs by qubit, of the pass that relaxes qubits during delays.

    Raises:
        NoiseModelError: Another pass, or relaxation towards anything but |0⟩.
    """
    found: dict[int, Times] = {}
    for one in passes:
        if not isinstance(one, RelaxationNoisePass) or one._ops != (Delay,):  # noqa: SLF001
            raise NoiseModelError(
                f"the noise model has a pass of its own ({type(one).__name__}): a description "
                "knows relaxation during delays only"
            )
        excited = np.any(np.asarray(one._p1s, dtype=float))  # noqa: SLF001
        if found or excited:
            what = "two passes for delays" if found else "relaxation to excited states in delays"
            raise NoiseModelError(f"the noise model has {what}, which a description can't say")
        for qubit, pair in enumerate(zip(one._t1s, one._t2s, strict=True)):  # noqa: SLF001
            t1, t2 = (None if math.isinf(t) else float(t) * 1e6 for t in pair)
            found[qubit] = t1, t2
    return found


def _width(
    errors: Iterable[tuple[str, Qubits]], readout: Iterable[Qubits], times: Iterable[int]
) -> int:
    """So many qubits a description needs; 0 where nothing is of stated qubits."""
    named = [qubit for _, qubits in errors for qubit in qubits]
    named += [qubit for qubits in readout for qubit in qubits]
    return max([*named, *times], default=-1) + 1
