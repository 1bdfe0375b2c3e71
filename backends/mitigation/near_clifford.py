"""Near-Clifford versions of a circuit, and their exact values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Clifford, SparsePauliOp, StabilizerState

from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.pubs.active_qubits import (
    active_qubits,
    restrict_circuit,
    restrict_observables,
)
from qvlm_qiskit.backends.pubs.digest import circuit_digest, observables_bytes
from qvlm_qiskit.backends.pubs.pauli_terms import pauli_terms
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import MitigationError

Floats = NDArray[np.float64]
TrainingKey = tuple[str, bytes, float | None]
# How many pubs' training circuits are remembered.
MAX_SETS = 256
# Width in radians of the Gaussian with which a fixed angle is replaced by a multiple of π/2
# (Czarnik et al.).
SNAP_WIDTH = 0.5
# Candidates per chosen circuit; fewer where an exact value takes long.
POOL, POOL_OF_LARGE = 32, 8
LARGE_QUBITS = 12


@dataclass(frozen=True)
class TrainingSet:
    """Near-Clifford circuits with their exact values.

    Attributes:
        template: The circuit with free angles.
        angles: (C, K) angles in radians.
        observables: The O observables, of shape (O,).
        exact: (O, C) values without noise.
    """

    template: AngleTemplate
    angles: Floats
    observables: ObservablesArray
    exact: Floats

    @property
    def scale(self) -> Floats:
        """(O,) the unit of every observable's values, see `term_norms`."""
        return term_norms(self.observables)

    @property
    def all_alike(self) -> bool:
        """Whether all circuits are one and the same: a Clifford circuit has no other versions."""
        return bool((np.ptp(self.angles, axis=0) < 1e-9).all())

    def pub(self, precision: float | None) -> EstimatorPub:
        """All circuits × all observables, of shape (O, C)."""
        return EstimatorPub(
            self.template.circuit,
            self.observables.reshape((-1, 1)),
            self.template.bindings(self.angles),
            precision,
            validate=False,
        )


@dataclass(frozen=True)
class NearClifford:
    """How near-Clifford versions of a circuit are drawn.

    Each starts from a random parameter row of the pub. Every angle stays with the probability
    `keep`. Otherwise one that depends on parameters becomes any multiple of π/2, each as likely,
    since the circuits stand for all parameter values; a fixed angle becomes the multiple m·π/2
    with a probability proportional to exp(−(distance/0.5)²), after Czarnik et al., Quantum 5, 592
    (2021). All gates stay, and so does the noise.

    Attributes:
        technique: Who asks, for messages.
        count: How many circuits, C.
        keep: Probability that an angle stays.
        spread: Choose those circuits, of many more, whose exact values vary most for every
            observable, after arXiv:2204.07109; plain random ones often give 0 throughout.
    """

    technique: str
    count: int
    keep: float
    spread: bool = False

    def versions(self, pub: EstimatorPub, rng: np.random.Generator) -> TrainingSet:
        """Near-Clifford versions of an ISA pub's circuit, for its observables, flattened.

        Raises:
            MitigationError: Gates that can't be varied, or too many qubits.
        """
        template = AngleTemplate.of(pub.circuit, self.technique)
        shape = pub.parameter_values.size, len(template.expressions)
        rows = template.angles(pub.parameter_values).reshape(shape)  # (B, K)
        large = len(active_qubits(pub.circuit, pub.observables)) > LARGE_QUBITS
        pool = (POOL_OF_LARGE if large else POOL) if self.spread else 1
        picked = rows[rng.integers(len(rows), size=self.count * pool)]
        angles = _snapped(template, picked, self.keep, rng)
        observables = pub.observables.ravel()
        exact = exact_values(template, angles, observables, self.technique)
        if self.spread:
            chosen = _most_varied(exact / term_norms(observables)[:, None], self.count)
            angles, exact = angles[chosen], exact[:, chosen]
        return TrainingSet(template, angles, observables, exact)

    def seeded(self, pub: EstimatorPub, seed: int | None, salt: str = "") -> TrainingSet:
        """`versions` with random numbers that depend on the circuit and the seed alone.

        Args:
            pub: An ISA pub.
            seed: None counts as 0, so that stored results of these circuits are found again.
            salt: Makes them other circuits than those of another salt.
        """
        digest = circuit_digest(pub.circuit)
        if salt:
            digest = hashlib.sha256(f"{salt} {digest}".encode()).hexdigest()
        return self.versions(pub, np.random.default_rng(content_seed(seed or 0, digest)))


class TrainingSets:
    """The near-Clifford circuits of pubs, drawn once for a circuit, its observables and precision.

    Args:
        draw: How they are drawn.
        seed: Of the drawing.
    """

    def __init__(self, draw: NearClifford, seed: int | None) -> None:
        self.draw = draw
        self.seed = seed
        self._sets: LruCache[TrainingKey, TrainingSet] = LruCache(MAX_SETS)

    def of(self, pub: EstimatorPub) -> tuple[TrainingKey, TrainingSet]:
        """What the training for a pub belongs to, and its circuits.

        Raises:
            MitigationError: Gates that can't be varied, or too many qubits.
        """
        key = training_key(pub)
        return key, self._sets.get(key, lambda: self.draw.seeded(pub, self.seed))


def training_key(pub: EstimatorPub) -> TrainingKey:
    """What a calibration belongs to: the circuit, the observables and the precision."""
    observables = observables_bytes(pub.observables.ravel())
    return circuit_digest(pub.circuit), observables, pub.precision


def term_norms(observables: ObservablesArray) -> Floats:
    """Σ|coefficient| of every observable without its identity: the unit of its values.

    1 for a multiple of the identity.

    Args:
        observables: O observables, of shape (O,).
    """
    return np.array([varying or 1.0 for _, varying in constant_and_norm(observables)])


def constant_and_norm(observables: ObservablesArray) -> list[tuple[float, float]]:
    """The identity's coefficient and Σ|coefficient| of the other terms, of every observable."""
    found = []
    for observable in observables.sparse_observables_array().ravel():
        terms = pauli_terms(observable)
        constant = terms.pop((), 0.0)
        found.append((constant, sum(abs(value) for value in terms.values())))
    return found


def _snapped(
    template: AngleTemplate, angles: Floats, keep: float, rng: np.random.Generator
) -> Floats:
    quarter = np.pi / 2
    multiples = np.round(angles / quarter)[..., None] + np.arange(-2, 3)  # (C, K, 5)
    weights = np.exp(-(((angles[..., None] - multiples * quarter) / SNAP_WIDTH) ** 2))
    cumulative = np.cumsum(weights, axis=-1) / weights.sum(axis=-1, keepdims=True)
    pick = (rng.random(angles.shape)[..., None] > cumulative).sum(axis=-1)
    near = np.take_along_axis(multiples, pick[..., None], axis=-1)[..., 0]
    near = np.where(is_clifford(angles), np.round(angles / quarter), near)
    free = np.array([isinstance(e, ParameterExpression) for e in template.expressions], dtype=bool)
    snapped = np.where(free, rng.integers(4, size=angles.shape), near) * quarter
    return np.where(rng.random(angles.shape) < keep, angles, snapped)


def _most_varied(exact: Floats, count: int) -> NDArray[np.intp]:
    """Greedily the columns that add most to Σ_o log(ε + Σ_c (E_oc − mean)²), E in its own unit."""
    chosen: list[int] = []
    mean: Floats = np.zeros(len(exact))
    squares: Floats = np.full(len(exact), 1e-3)
    left = np.ones(exact.shape[1], dtype=bool)
    for step in range(count):
        grown = squares[:, None] + step / (step + 1) * (exact - mean[:, None]) ** 2  # (O, C)
        gain = np.where(left, np.log(grown).sum(axis=0), -np.inf)
        best = int(np.argmax(gain))
        chosen.append(best)
        left[best] = False
        squares = grown[:, best]
        mean = mean + (exact[:, best] - mean) / (step + 1)
    return np.array(chosen)


# 16 MiB of amplitudes per circuit.
MAX_STATEVECTOR_QUBITS = 20


def exact_values(
    template: AngleTemplate, angles: Floats, observables: ObservablesArray, technique: str
) -> Floats:
    """⟨O⟩ of the template's circuits without noise.

    Up to `MAX_STATEVECTOR_QUBITS` active qubits with this package's engine, beyond as stabilizer
    states, which takes angles that are multiples of π/2.

    Args:
        template: The circuit.
        angles: (C, K) angles in radians.
        observables: O observables on the circuit's qubits, of shape (O,).
        technique: Who asks, for the message.

    Returns:
        (O, C) values.

    Raises:
        MitigationError: Too many qubits for a statevector and angles that are not Clifford.
    """
    qubits = active_qubits(template.circuit, observables)
    circuit = restrict_circuit(template.circuit, qubits)
    reduced = restrict_observables(observables, qubits)
    if len(qubits) <= MAX_STATEVECTOR_QUBITS:
        pub = (circuit, reduced.reshape((-1, 1)), template.bindings(angles))
        return np.asarray(_engine().run([pub]).result()[0].data.evs, dtype=float)
    if not is_clifford(angles).all():
        raise MitigationError(
            f"{technique}: calibration circuits of {len(qubits)} qubits are simulated up to "
            f"{MAX_STATEVECTOR_QUBITS} qubits only, unless they are Clifford: set keep=0"
        )
    operators = [
        SparsePauliOp.from_sparse_observable(observable.as_paulis())
        for observable in reduced.sparse_observables_array()
    ]
    found = np.empty((len(operators), len(angles)))
    for column, row in enumerate(angles):
        bound = circuit.assign_parameters(np.round(row / (np.pi / 2)) * (np.pi / 2))
        bound.data = [item for item in bound.data if item.name not in ("barrier", "delay")]
        state = StabilizerState(Clifford(bound))
        found[:, column] = [np.real(state.expectation_value(o)) for o in operators]
    return found


def is_clifford(angles: Floats) -> NDArray[np.bool_]:
    """Which angles are multiples of π/2."""
    quarter = angles / (np.pi / 2)
    return np.asarray(np.abs(quarter - np.round(quarter)) < 1e-9)


def _engine() -> Any:
    # Only here: opening a backend needs no torch.
    from qvlm_qiskit.quantum import TorchEstimator

    return TorchEstimator(dtype="complex128")
