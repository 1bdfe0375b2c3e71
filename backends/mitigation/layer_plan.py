"""What learned noise of its layers does to a circuit, and the random circuits that change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qvlm_qiskit.backends.mitigation.layer_noise import MOST_TURNS, LayerNoise
from qvlm_qiskit.backends.mitigation.layers import Bits, Layered
from qvlm_qiskit.backends.mitigation.pauli_frames import FrameWalk, check_frames
from qvlm_qiskit.backends.mitigation.pec_pub import Insertions
from qvlm_qiskit.backends.mitigation.template import AngleTemplate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerPlan:
    """A circuit whose layers' noise is known.

    Attributes:
        circuit: The ISA circuit.
        template: The same with free angles.
        layered: Its layers.
        noise: Of every layer as it is made, one entry per entry of `layered.layers`.
    """

    circuit: QuantumCircuit
    template: AngleTemplate
    layered: Layered
    noise: tuple[LayerNoise, ...]
    residual = 0.0
    """No noise but Paulis is learned."""

    @classmethod
    def of(cls, circuit: QuantumCircuit, noise: Sequence[LayerNoise], technique: str) -> LayerPlan:
        """The plan of a circuit.

        Args:
            circuit: An ISA circuit.
            noise: Of all of its layers at least.
            technique: Who asks, for messages.

        Raises:
            MitigationError: A gate through which no Pauli can be moved.
        """
        check_frames(circuit, technique)
        known = {one.layer: one for one in noise}
        layered = Layered.of(circuit, technique)
        made = tuple(known[layer] for layer in layered.layers)
        return cls(circuit, AngleTemplate.of(circuit, technique), layered, made)

    @property
    def noisy(self) -> tuple[int, ...]:
        """Places of the layers that have noise."""
        return tuple(place for place, one in enumerate(self.noise) if one.rates.any())

    @property
    def gamma(self) -> float:
        """γ = exp(2 Σ λ) over the whole circuit: what cancelling its noise costs."""
        return math.prod(one.gamma for one in self.noise)

    @property
    def unchanged(self) -> float:
        """Probability that cancelling inserts nothing at all."""
        return float(np.prod(1.0 - self._flips(1.0)))

    def untouched(self, factor: float) -> float:
        """Probability that amplifying by a factor inserts nothing at all."""
        return float(np.prod(1.0 - self._flips(factor - 1.0)))

    def draw(self, count: int, rng: np.random.Generator) -> Insertions:
        """M = `count` circuits that cancel the noise, each with at least one inserted Pauli.

        The inverse of w·ρ + (1 − w)·PρP is γ times the same mixture with the sign − before P.
        """
        hits = _drawn(self._flips(1.0), count, rng)
        return self._inserted(hits, 1.0 - 2.0 * (hits.sum(axis=1) % 2), rng)

    def amplified(self, factor: float, count: int, rng: np.random.Generator) -> Insertions:
        """The same with noise of `factor` − 1 times the learned rates on top."""
        hits = _drawn(self._flips(factor - 1.0), count, rng)
        return self._inserted(hits, np.ones(count), rng)

    def _flips(self, factor: float) -> Floats:
        """Probability of every Pauli behind every layer, in one row."""
        parts = [one.flips(factor) for one in self.noise]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _inserted(self, hits: Bits, signs: Floats, rng: np.random.Generator) -> Insertions:
        """Move the chosen Paulis to the end; each gate brings its qubits' share of them."""
        ends = np.cumsum([len(one.rates) for one in self.noise])[:-1]
        paulis = [
            (own.astype(int) @ one.support.bits().astype(int)) % 2 == 1
            for own, one in zip(np.split(hits, ends, axis=1), self.noise, strict=True)
        ]
        walk, flips = FrameWalk(self.circuit, len(hits)), []
        for index, item in enumerate(self.circuit.data):
            columns = walk.columns(item.qubits)
            flip = walk.through(item.name, columns)
            if flip is not None:
                flips.append(flip)
            if (layer := self.layered.places.get(index)) is not None:
                qubits = self.noise[layer].support.qubits
                own = [qubits.index(walk.index[bit]) for bit in item.qubits]
                walk.insert(columns, paulis[layer][:, [*own, *(len(qubits) + q for q in own)]])
        stacked = np.stack(flips, axis=1) if flips else np.zeros((len(hits), 0), dtype=bool)
        turns = rng.choice(MOST_TURNS, size=len(hits), replace=False)
        return Insertions(np.asarray(signs, dtype=float), stacked, walk.frames, turns)


def _drawn(flips: Floats, count: int, rng: np.random.Generator) -> Bits:
    """Which Paulis are inserted, (count, G), drawn under the condition that one is.

    The first is g with probability ∝ ∏_{h<g} (1 − w_h)·w_g; those behind are drawn freely.
    """
    before = np.concatenate([[1.0], np.cumprod(1.0 - flips)[:-1]])
    chances = before * flips
    first = rng.choice(len(flips), size=count, p=chances / chances.sum())
    hits = (rng.random((count, len(flips))) < flips) & (np.arange(len(flips)) > first[:, None])
    hits[np.arange(count), first] = True
    return np.asarray(hits)
