"""Learn the Pauli-Lindblad noise of a layer from circuits that repeat it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import Target
from scipy.optimize import nnls

from qvlm_qiskit.backends.mitigation.layers import Bits, Layer, Support, as_listed
from qvlm_qiskit.backends.pubs.shots import content_seed, precision_of_shots

Floats = NDArray[np.float64]
DEPTHS = (0, 1, 2, 4, 16, 32)
"""Pairs of a layer that learning circuits repeat, as IBM's noise learner does by default."""
MOST_TURNS = 2**20
COHERENT = 10.0
"""χ² of decays above which errors are coherent and hardly twirled. Measured: 0.8 to 1.6 without
such errors, 65 to 126 with them, 5 and 31 where they were twirled by four circuits (not by 32)."""
# A value with less than so many standard errors says nothing about a decay any more.
_CLEAR = 4.0


@dataclass(frozen=True)
class LayerNoise:
    """Noise ∏_k (w_k ρ + (1 − w_k) P_k ρ P_k), w_k = (1 + exp(−2λ_k))/2, behind a layer.

    Attributes:
        layer: The layer.
        support: Its Paulis P_k.
        rates: (G,) λ_k ≥ 0.
        stds: (G,) their standard errors, 0 for those at the bound.
        chi2: χ² per degree of freedom of the exponentials that were fitted: near 1 where noise is
            Pauli noise. Coherent errors turn states, and decays are no exponentials then.
    """

    layer: Layer
    support: Support
    rates: Floats
    stds: Floats
    chi2: float = 1.0

    @property
    def gamma(self) -> float:
        """exp(2 Σ λ_k): the factor on standard errors that cancelling it once costs."""
        return math.exp(2.0 * float(self.rates.sum()))

    def flips(self, factor: float = 1.0) -> Floats:
        """(G,) probabilities of each Pauli in noise of `factor` times the rates."""
        return np.asarray((1.0 - np.exp(-2.0 * factor * self.rates)) / 2.0)


@dataclass(frozen=True)
class LearningProtocol:
    """Circuits that repeat a layer, and the fit of its noise to their decays.

    A product state of random eigenstates of a basis goes through d pairs of the layer. A Pauli P
    that the basis reads decays as A·(f_P·f_P')^d, P' being the layer's image of P; preparation and
    readout are in A. With f_P = f_P', which no such experiment can tell apart, the rates follow
    from −log f_P = 2 Σ λ_k over all P_k that anticommute with P, as a least-squares problem with
    λ ≥ 0.

    Source: van den Berg, Minev, Kandala, Temme, Nature Physics 19, 1116 (2023).

    Attributes:
        target: The device.
        randomizations: Preparations per basis and depth.
        shots: Of each.
        calibration: The device's calibration: what was learned before another one is not found
            again.
    """

    target: Target
    randomizations: int
    shots: int
    calibration: str = ""

    def executions(self) -> int:
        """Executions that one layer takes."""
        return len(DEPTHS) * 9 * self.randomizations * self.shots

    def pubs(self, layer: Layer) -> list[EstimatorPub]:
        """What is run for a layer: by depth and basis, values (Paulis, preparations)."""
        support = Support.of(layer, self.target)
        precision = precision_of_shots(self.shots)
        found = []
        for row, depth in enumerate(DEPTHS):
            circuit = self._circuit(layer, depth)
            for column, basis in enumerate(support.bases):
                signs = self._signs(layer, row, column)
                values = _preparation(basis, signs)
                values[:, -1] += 2 * np.pi * self._turns(layer, row, column)
                read = support.read_in(basis)
                bindings = BindingsArray({tuple(circuit.parameters): values})
                observables = _observables(support, read, circuit.num_qubits)
                found.append(EstimatorPub(circuit, observables, bindings, precision))
        return found

    def fit(self, layer: Layer, runs: Sequence[Any]) -> LayerNoise:
        """The noise from the answers to `pubs`, in their order."""
        support = Support.of(layer, self.target)
        bits = support.bits()
        width = len(support.qubits)
        count = len(support.paulis)
        sums, weights = np.zeros((len(DEPTHS), count)), np.zeros((len(DEPTHS), count))
        for number, run in enumerate(runs):
            row, column = divmod(number, 9)
            read = support.read_in(support.bases[column])
            signs = self._signs(layer, row, column)  # (R, n) of ±1
            support_of = bits[read, :width] | bits[read, width:]
            expected = np.where(support_of[:, None, :], signs[None], 1).prod(axis=2)
            sums[row, read] += (expected * np.asarray(run.data.evs, dtype=float)).sum(axis=1)
            weights[row, read] += len(signs)
        means = sums / weights
        errors = np.sqrt((1.0 - np.clip(means, -1, 1) ** 2 + 1.0 / self.shots) / self.shots)
        decays, spread, chi2 = _decays(means, errors / np.sqrt(weights))
        rates, stds = _rates(bits, decays, spread)
        return LayerNoise(layer, support, rates, stds, chi2)

    def _signs(self, layer: Layer, row: int, column: int) -> NDArray[np.int64]:
        """(R, n) of ±1: which eigenstate is prepared."""
        rng = _generator(f"{layer} {row} {column} {self.calibration}")
        return 1 - 2 * rng.integers(2, size=(self.randomizations, len(layer.qubits)))

    def _turns(self, layer: Layer, row: int, column: int) -> NDArray[np.int64]:
        """(R,) whole turns that change nothing but the numbers by which values are found again.

        Few qubits have few preparations: equal ones would be one row of a ledger, and those of
        another calibration would be found in it.
        """
        rng = _generator(f"turns {layer} {row} {column} {self.calibration}")
        return rng.choice(MOST_TURNS, size=self.randomizations, replace=False)

    def _circuit(self, layer: Layer, depth: int) -> QuantumCircuit:
        """Free preparations of the layer's qubits, then the layer 2·depth times."""
        circuit = QuantumCircuit(self.target.num_qubits)
        angles = ParameterVector("p", 2 * len(layer.qubits))
        for place, qubit in enumerate(layer.qubits):
            circuit.sx(qubit)
            circuit.rz(angles[2 * place], qubit)
            circuit.sx(qubit)
            circuit.rz(angles[2 * place + 1], qubit)
        known = get_standard_gate_name_mapping()
        gates = [as_listed(gate, self.target) for gate in layer.gates]
        for _ in range(2 * depth):
            circuit.barrier(layer.qubits)
            for name, qubits in gates:
                circuit.append(known[name], qubits)
        return circuit


def _generator(text: str) -> np.random.Generator:
    return np.random.default_rng(content_seed(0, hashlib.sha256(text.encode()).hexdigest()))


def _preparation(basis: str, signs: NDArray[np.int64]) -> Floats:
    """(R, 2n) angles of sx·rz·sx·rz that prepare eigenstates of a basis from |0⟩."""
    angles = np.empty((len(signs), 2 * len(basis)))
    minus = signs < 0
    for place, letter in enumerate(basis):
        if letter == "Z":  # sx·rz(π)·sx|0⟩ is |0⟩, sx·sx|0⟩ is |1⟩
            angles[:, 2 * place] = np.where(minus[:, place], 0.0, np.pi)
            angles[:, 2 * place + 1] = 0.0
        else:  # sx·rz(π/2)·sx|0⟩ is |+⟩
            angles[:, 2 * place] = np.pi / 2
            turn = 0.0 if letter == "X" else np.pi / 2
            angles[:, 2 * place + 1] = turn - np.pi * minus[:, place]
    return angles


def _observables(support: Support, read: Sequence[int], width: int) -> ObservablesArray:
    found = np.empty((len(read), 1), dtype=object)
    for place, row in enumerate(read):
        letters, places = support.paulis[row]
        qubits = [support.qubits[p] for p in places]
        found[place, 0] = SparseObservable.from_sparse_list([(letters, qubits, 1.0)], width)
    return ObservablesArray(found, num_qubits=width)


def _decays(means: Floats, errors: Floats) -> tuple[Floats, Floats, float]:
    """−½·log of the decay per pair, and its standard error, for every Pauli, by weighted lines.

    The third is χ² per degree of freedom of all lines together, 1 where there is none.

    Args:
        means: (depths, G) values.
        errors: Their standard errors.
    """
    depths = np.asarray(DEPTHS, dtype=float)
    clear = means > _CLEAR * errors
    clear[:2] = True  # two points make a line, whatever they say
    logs = np.log(np.where(clear, np.maximum(means, errors), 1.0))
    weights = np.where(clear, (np.maximum(means, errors) / errors) ** 2, 0.0)
    total = weights.sum(axis=0)
    middle = (weights * depths[:, None]).sum(axis=0) / total
    centred = depths[:, None] - middle
    spread = (weights * centred**2).sum(axis=0)
    slopes = (weights * centred * logs).sum(axis=0) / spread
    level = (weights * logs).sum(axis=0) / total
    left = (weights * (logs - level - slopes * centred) ** 2).sum()
    freedom = int((clear.sum(axis=0) - 2).sum())
    return -slopes / 2.0, 0.5 / np.sqrt(spread), float(left / freedom) if freedom else 1.0


def _rates(bits: Bits, decays: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Rates λ ≥ 0 with 2 Σ λ_k = decay over the P_k that anticommute with each Pauli."""
    half = bits.shape[1] // 2
    x, z = bits[:, :half].astype(int), bits[:, half:].astype(int)
    design = 2.0 * ((x @ z.T + z @ x.T) % 2) / errors[:, None]
    rates, _ = nnls(design, decays / errors)
    active = rates > 0
    stds = np.zeros_like(rates)
    if active.any():
        stds[active] = np.sqrt(np.diag(np.linalg.pinv(design[:, active].T @ design[:, active])))
    return np.asarray(rates), stds
