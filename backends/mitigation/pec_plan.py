"""What cancelling a circuit's noise takes, and the random circuits that do it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qvlm_qiskit.backends.mitigation.pauli_frames import FrameWalk, check_frames, pauli_bits
from qvlm_qiskit.backends.mitigation.pec_inverses import GateInverses, QuasiInverse
from qvlm_qiskit.backends.mitigation.pec_pub import Insertions
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.noise_models import NoiseSpec

Floats = NDArray[np.float64]
# Of all backends of this process: inverting the gates of some qubits takes a second.
_inverses: LruCache[str, GateInverses] = LruCache(64)


@dataclass(frozen=True)
class CancellationPlan:
    """What cancelling the noise of a circuit takes.

    Attributes:
        circuit: The ISA circuit.
        template: The same with free angles.
        noisy: Instruction index of each of its G noisy gates, in the order of the instructions.
        inverses: The quasi-probability that undoes each gate's Pauli noise.
    """

    circuit: QuantumCircuit
    template: AngleTemplate
    noisy: tuple[int, ...]
    inverses: tuple[QuasiInverse, ...]

    @classmethod
    def of(
        cls, circuit: QuantumCircuit, qubits: tuple[int, ...], noise: NoiseSpec
    ) -> CancellationPlan:
        """Find the noisy gates and invert their noise.

        Args:
            circuit: An ISA circuit.
            qubits: Its active qubits.
            noise: The noise; entry i describes the i-th of them.

        Raises:
            MitigationError: A gate through which no Pauli can be moved, or a noise without
                inverse.
        """
        check_frames(circuit, "pec")
        inverses = _inverses.get(noise.digest(), lambda: GateInverses(noise))
        position = {circuit.qubits[qubit]: i for i, qubit in enumerate(qubits)}
        noisy, found = [], []
        for index, item in enumerate(circuit.data):
            if item.name in ("barrier", "delay"):
                continue
            inverse = inverses.get(item.name, tuple(position[bit] for bit in item.qubits))
            if inverse is not None and inverse.gamma > 1 + 1e-12:
                noisy.append(index)
                found.append(inverse)
        return cls(circuit, AngleTemplate.of(circuit, "pec"), tuple(noisy), tuple(found))

    @property
    def gamma(self) -> float:
        """γ = ∏ Σ|w|: the standard error grows by it, the executions by its square."""
        return math.prod(inverse.gamma for inverse in self.inverses)

    @property
    def stays(self) -> Floats:
        """(G,) probability that nothing is inserted after a gate."""
        return np.array([inverse.weights[0] / inverse.gamma for inverse in self.inverses])

    @property
    def unchanged(self) -> float:
        """p₀, the probability that nothing is inserted at all."""
        return float(np.prod(self.stays))

    @property
    def residual(self) -> float:
        """The largest entry of the noise that is not a Pauli channel's."""
        return max((inverse.residual for inverse in self.inverses), default=0.0)

    def draw(self, count: int, rng: np.random.Generator) -> Insertions:
        """M = `count` random circuits with at least one inserted Pauli each."""
        choices = _insertions(self, count, rng)  # (M, G)
        signs = np.ones(count)
        walk = FrameWalk(self.circuit, count)
        at = {index: gate for gate, index in enumerate(self.noisy)}
        flips = []
        for index, item in enumerate(self.circuit.data):
            columns = walk.columns(item.qubits)
            flip = walk.through(item.name, columns)
            if flip is not None:
                flips.append(flip)
            if index in at:
                inverse, chosen = self.inverses[at[index]], choices[:, at[index]]
                signs *= np.sign(inverse.weights[chosen])
                walk.insert(columns, pauli_bits(len(item.qubits))[chosen])
        stacked = np.stack(flips, axis=1) if flips else np.zeros((count, 0), dtype=bool)
        return Insertions(signs, stacked, walk.frames)


def _insertions(plan: CancellationPlan, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which Pauli follows each noisy gate, (M, G), drawn under the condition that one does.

    The first gate with a Pauli is g with probability ∝ ∏_{h<g} s_h·(1 − s_g); those before have
    none, those behind are drawn freely.
    """
    stays = plan.stays
    before = np.concatenate([[1.0], np.cumprod(stays)[:-1]])
    first = rng.choice(len(stays), size=count, p=_normalised(before * (1 - stays)))
    choices = np.zeros((count, len(stays)), dtype=np.intp)
    for gate, inverse in enumerate(plan.inverses):
        size = np.abs(inverse.weights)
        free = rng.choice(len(size), size=count, p=_normalised(size))
        size[0] = 0.0
        forced = rng.choice(len(size), size=count, p=_normalised(size))
        choices[:, gate] = np.where(first < gate, free, np.where(first == gate, forced, 0))
    return choices


def _normalised(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
