"""What was learned of a machine's layers, as a description of noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from qvlm_qiskit.backends.mitigation.layer_learner import LayerLearner
from qvlm_qiskit.backends.mitigation.layer_noise import LayerNoise
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import GateNoise, NoiseSpec

Rates = dict[str, float]
Place = tuple[str, tuple[int, ...]]


def learned_noise(backend: Any, calibrated: NoiseSpec) -> NoiseSpec:
    """A machine's calibrated noise with what was learned in the place of its two-qubit gates.

    A gate has the rates of the Paulis on its own qubits, the mean over the layers in which it
    stands; its stated infidelity and duration go, since they are in the rates. Paulis on qubits of
    two gates are no gate's: they are left out, and so is what differs between layers.

    Args:
        backend: Has run circuits with "pea" or "pec(model=learned)".
        calibrated: The noise of the whole device, such as `noise_models.snapshot` gives.

    Raises:
        MitigationError: The backend has learned nothing, or another device is described.
    """
    found = [
        noise
        for layer in stack_of(backend.estimator())
        if isinstance(learner := getattr(layer, "learner", None), LayerLearner)
        for noise in learner.known.values()
    ]
    if not found:
        raise MitigationError(f"{backend.name} has learned no noise of layers yet")
    if len(calibrated.qubits) != backend.num_qubits:
        raise MitigationError(
            f"the description has {len(calibrated.qubits)} qubits, {backend.name} has "
            f"{backend.num_qubits}: describe the whole device"
        )
    return _placed(found, calibrated)


def _placed(found: Iterable[LayerNoise], calibrated: NoiseSpec) -> NoiseSpec:
    rates = _by_gate(found)
    gates = [
        replace(
            gate,
            error=0.0,
            duration_ns=None,
            rates=tuple(rates[gate.name, gate.qubits].items()),
            channel=(),
        )
        if (gate.name, gate.qubits) in rates
        else gate
        for gate in calibrated.gates
    ]
    stated = {(gate.name, gate.qubits) for gate in gates}
    gates += [
        GateNoise(name, qubits, len(qubits), rates=tuple(own.items()))
        for (name, qubits), own in rates.items()
        if (name, qubits) not in stated
    ]
    return replace(calibrated, name=f"{calibrated.name}, learned", gates=tuple(gates))


def _by_gate(found: Iterable[LayerNoise]) -> dict[Place, Rates]:
    """The mean rates of every gate's own Paulis over the layers in which it stands."""
    sums: dict[Place, Rates] = {}
    counts: dict[Place, int] = defaultdict(int)
    for noise in found:
        for name, qubits in noise.layer.gates:
            own = sums.setdefault((name, qubits), defaultdict(float))
            counts[name, qubits] += 1
            for pauli, rate in _own(noise, qubits):
                own[pauli] += rate
    return {
        place: {pauli: rate / counts[place] for pauli, rate in own.items()}
        for place, own in sums.items()
    }


def _own(noise: LayerNoise, operands: tuple[int, ...]) -> Iterable[tuple[str, float]]:
    """The rates above 0 of Paulis on a gate's qubits, a letter for each operand."""
    for (letters, places), rate in zip(noise.support.paulis, noise.rates.tolist(), strict=True):
        qubits = [noise.support.qubits[place] for place in places]
        if rate and set(qubits) <= set(operands):
            by_qubit = dict(zip(qubits, letters, strict=True))
            yield "".join(by_qubit.get(qubit, "I") for qubit in operands), rate
