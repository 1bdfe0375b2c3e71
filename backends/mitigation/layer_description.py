"""What was learned of a machine's layers, as a description of noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from qvlm_qiskit.backends.mitigation.layer_learner import LayerLearner
from qvlm_qiskit.backends.mitigation.layer_noise import LayerNoise
from qvlm_qiskit.backends.mitigation.layers import Gate, orders
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import NoiseSpec

Rates = dict[str, float]


def learners_of(backend: Any) -> Iterator[LayerLearner]:
    """What learns the noise of layers in a backend's stack."""
    for layer in stack_of(backend.estimator()):
        if isinstance(learner := getattr(layer, "learner", None), LayerLearner):
            yield learner


def learned_noise(backend: Any, calibrated: NoiseSpec) -> NoiseSpec:
    """A machine's calibrated noise with what was learned in the place of its two-qubit gates.

    A gate has the rates of the Paulis on its own qubits, the mean over the layers in which it
    stands; its stated infidelity and duration go, since they are in the rates. Paulis on qubits of
    two gates are no gate's: they are left out, and so is what differs between layers.

    Args:
        backend: Has run circuits with "pea" or "pec(model=learned)".
        calibrated: The noise of the whole device, such as `noise_models.snapshot` gives.

    Raises:
        MitigationError: The backend has learned nothing, or another device or calibration is
            described, or sources of error whose effect was learned with the gates.
    """
    learners = list(learners_of(backend))
    found = [noise for learner in learners for noise in learner.known.values()]
    if not found:
        raise MitigationError(f"{backend.name} has learned no noise of layers yet")
    check_description(calibrated, backend)
    return _placed(found, calibrated)


def check_description(calibrated: NoiseSpec, backend: Any) -> None:
    """Refuse a description in which nothing that a backend learns can stand.

    Raises:
        MitigationError: Of another device or calibration, or with sources of error that act where
            gates are learned.
    """
    if len(calibrated.qubits) != backend.num_qubits:
        raise MitigationError(
            f"the description has {len(calibrated.qubits)} qubits, {backend.name} has "
            f"{backend.num_qubits}: describe the whole device"
        )
    dates = [learner.device.calibration for learner in learners_of(backend)]
    of = None if calibrated.snapshot is None else calibrated.snapshot.calibrated_utc
    if of is not None and any(date is not None and not _same_moment(date, of) for date in dates):
        raise MitigationError(
            f"the description is of the calibration of {of}, and noise was learned on that of "
            f"{dates[0]}: describe the machine as it was"
        )
    acting = [source.kind for source in calibrated.sources if source.kind != "readout"]
    if acting:
        raise MitigationError(
            f"the description has {acting[0]} after gates, which is in what was learned, too: "
            "describe the device without it"
        )


def _same_moment(first: str, second: str) -> bool:
    moments = [datetime.fromisoformat(text) for text in (first, second)]
    one, other = (m if m.tzinfo else m.replace(tzinfo=UTC) for m in moments)
    return abs((one - other).total_seconds()) < 1.0


def _placed(found: Iterable[LayerNoise], calibrated: NoiseSpec) -> NoiseSpec:
    rates = _by_gate(found)
    stated = {(gate.name, gate.qubits) for gate in calibrated.gates}
    for gate in rates:
        if stated.isdisjoint(orders(gate)):
            name, qubits = gate
            raise MitigationError(
                f"the description is of another device: it has no {name} on {list(qubits)}"
            )
    placed = {
        turned: _of(own, turned == gate) for gate, own in rates.items() for turned in orders(gate)
    }
    gates = (
        replace(
            entry, error=0.0, duration_ns=None, rates=placed[entry.name, entry.qubits], channel=()
        )
        if (entry.name, entry.qubits) in placed
        else entry
        for entry in calibrated.gates
    )
    return replace(calibrated, name=f"{calibrated.name}, learned", gates=tuple(gates))


def _of(rates: Mapping[str, float], forwards: bool) -> tuple[tuple[str, float], ...]:
    """Rates of a gate whose qubits are named in the same order, or backwards."""
    return tuple((pauli if forwards else pauli[::-1], rate) for pauli, rate in rates.items())


def _by_gate(found: Iterable[LayerNoise]) -> dict[Gate, Rates]:
    """The mean rates of every gate's own Paulis over the layers in which it stands."""
    sums: dict[Gate, Rates] = {}
    counts: dict[Gate, int] = defaultdict(int)
    for noise in found:
        for gate in noise.layer.gates:
            own = sums.setdefault(gate, defaultdict(float))
            counts[gate] += 1
            for pauli, rate in _own(noise, gate[1]):
                own[pauli] += rate
    return {
        gate: {pauli: rate / counts[gate] for pauli, rate in own.items()}
        for gate, own in sums.items()
    }


def _own(noise: LayerNoise, operands: tuple[int, ...]) -> Iterable[tuple[str, float]]:
    """The rates above 0 of Paulis on a gate's qubits, a letter for each operand."""
    for (letters, places), rate in zip(noise.support.paulis, noise.rates.tolist(), strict=True):
        qubits = [noise.support.qubits[place] for place in places]
        if rate and set(qubits) <= set(operands):
            by_qubit = dict(zip(qubits, letters, strict=True))
            yield "".join(by_qubit.get(qubit, "I") for qubit in operands), rate
