"""Pauli twirling of two-qubit gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Qubit
from qiskit.circuit.library import RZGate, SXGate, XGate
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target

from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Mitigator,
    answer,
    precision_for,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.pauli_frames import clifford_matrix, pauli_bits
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata, overhead
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.put import put
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import MitigationError

TWIRLED = ("cx", "cz", "ecr", "swap", "iswap", "dcx", "cy")
# A random Pauli is made of these, and moved through them.
ONE_QUBIT = ("rz", "sx", "x", "id")


@technique()
class Twirling(Step):
    """Random Paulis around two-qubit gates, averaged; behind the Runtime client its own.

    Attributes:
        randomizations: Number of random circuits that share the shots.
    """

    name = "twirling"
    fractional = False
    rank = 0
    randomizations: int = 32

    def __post_init__(self) -> None:
        self.whole("randomizations", 2)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"two-qubit gates twirled by random Paulis, {self.randomizations} circuits"

    def runtime_options(self) -> dict[str, Any]:
        """The client's gate twirling."""
        return {"twirling": {"enable_gates": True, "num_randomizations": self.randomizations}}

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that the device has the gates that Paulis are made of."""
        check_target(device.target)

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> PauliTwirled:
        """`PauliTwirled` with these parameters."""
        return PauliTwirled(inner, device.target, self.randomizations, device.seed)


class PauliTwirled(Mitigator[Twirling]):
    """Averages over random Paulis around every two-qubit gate.

    Before a Clifford gate G goes a random Pauli P, behind it G·P·G⁻¹, which changes nothing
    without noise. Averaged, the gate's noise becomes a Pauli channel: coherent errors no longer
    add up over the gates. The Paulis cost next to nothing: Z is a change of frame (rz), and X is
    moved through the neighbouring one-qubit gates into the last sx, since X·sx = Rz(π)·sx·Rz(π)
    up to a phase; where two-qubit gates follow each other directly, an x is added.

    The R random circuits share the pub's shots. The value is the mean, the standard error the
    root of the variance over the circuits by R, which contains the shots. The device's readout
    is not twirled.

    Source: Wallman and Emerson, Phys. Rev. A 94, 052325 (2016).

    Args:
        inner: Runs ISA pubs.
        target: The device, which has to know rz, sx and x.
        randomizations: R, at least 2.
        seed: Of the Paulis; None counts as 0, so that stored results are found again.

    Raises:
        MitigationError: The device lacks rz, sx or x.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        target: Target,
        randomizations: int = Twirling.randomizations,
        seed: int | None = None,
    ) -> None:
        super().__init__(inner, Twirling(randomizations))
        self.seed = seed or 0
        check_target(target)
        self._twirled: LruCache[str, list[QuantumCircuit]] = LruCache(64)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """One pub per random circuit; the pub itself where nothing can be twirled."""
        asked = shots_asked(pub, "twirling")
        circuits = self._circuits(pub.circuit)
        share = precision_for(None if asked is None else math.ceil(asked / len(circuits)))
        pubs = [
            EstimatorPub(circuit, pub.observables, pub.parameter_values, share, validate=False)
            for circuit in circuits
        ]

        def combine(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
            measured, errors = values(runs)
            count = len(runs)
            stds = errors[0] if count == 1 else measured.std(axis=0, ddof=1) / math.sqrt(count)
            metadata = mitigated_metadata(
                [run.metadata for run in runs],
                "twirling",
                overhead([run.metadata for run in runs], asked),
                spent,
                randomizations=count,
            )
            return answer(measured.mean(axis=0), np.asarray(stds), metadata)

        return Expansion(pubs, combine)

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1: the shots are only shared out. Coherent noise adds the spread of the circuits."""
        return 1.0

    def _circuits(self, circuit: QuantumCircuit) -> list[QuantumCircuit]:
        digest = circuit_digest(circuit)

        def make() -> list[QuantumCircuit]:
            rng = np.random.default_rng(content_seed(self.seed, digest))
            gates = sum(len(item.qubits) == 2 and item.name != "barrier" for item in circuit.data)
            return [
                twirled(circuit, rng.integers(16, size=gates))
                for _ in range(self.options.randomizations if gates else 1)
            ]

        return self._twirled.get(digest, make)


def check_target(target: Target) -> None:
    """Make sure that a device has the gates that Paulis are made of.

    Raises:
        MitigationError: It lacks rz, sx or x.
    """
    missing = [name for name in ("rz", "sx", "x") if name not in target.operation_names]
    if missing:
        raise MitigationError(
            f"twirling inserts Paulis as rz, sx and x; this device lacks {', '.join(missing)}"
        )


def twirled(circuit: QuantumCircuit, choices: NDArray[np.int64]) -> QuantumCircuit:
    """The circuit with a Pauli before every two-qubit gate and its counterpart behind.

    Args:
        circuit: An ISA circuit of rz, sx, x, id and the gates of `TWIRLED`.
        choices: For every two-qubit gate the index of its Pauli in `pauli_bits(2)`.

    Raises:
        MitigationError: Another gate.
    """
    result = circuit.copy_empty_like()
    runs = {qubit: _Run() for qubit in circuit.qubits}
    paulis = iter(pauli_bits(2)[choices])
    for item in circuit.data:
        if item.name in ONE_QUBIT:
            runs[item.qubits[0]].gates.append((item.name, item.operation))
        elif item.name in TWIRLED:
            before = next(paulis)  # x_0 x_1 z_0 z_1
            matrix = clifford_matrix(item.name).astype(np.uint8)
            behind = (before.astype(np.uint8) @ matrix) % 2 == 1
            for position, qubit in enumerate(item.qubits):
                runs[qubit].close(before[position], before[2 + position], result, qubit)
            put(result, item, item.qubits)
            for position, qubit in enumerate(item.qubits):
                runs[qubit] = _Run(behind[position], behind[2 + position])
        elif item.name in ("barrier", "delay"):
            for qubit in item.qubits:
                runs[qubit] = runs[qubit].before(item.name, result, qubit)
            put(result, item, item.qubits)
        else:
            raise MitigationError(
                f"twirling can't move a Pauli through the gate {item.name!r}: it takes "
                f"{', '.join((*ONE_QUBIT, *TWIRLED))}"
            )
    for qubit, run in runs.items():
        run.close(False, False, result, qubit)
    return result


@dataclass
class _Run:
    """One-qubit gates between two two-qubit gates, with a Pauli X^x Z^z before them."""

    x: bool = False
    z: bool = False

    def __post_init__(self) -> None:
        self.gates: list[tuple[str, Any]] = []

    def close(self, x: bool, z: bool, result: QuantumCircuit, qubit: Qubit) -> None:
        """Append the run followed by the Pauli X^x Z^z, with all Paulis absorbed."""
        gates = self._moved_behind()
        self.x, self.z = bool(self.x ^ x), bool(self.z ^ z)
        if self.x:
            gates = _absorb_x(gates)
        if self.z:
            gates.append(("rz", RZGate(np.pi)))
        for _, operation in gates:
            result._append(operation, (qubit,))  # noqa: SLF001  (documented for new circuits)

    def before(self, name: str, result: QuantumCircuit, qubit: Qubit) -> _Run:
        """Append the run before a barrier or a delay; the run behind it.

        A Pauli goes past a barrier, so that no x is made for it there and another one behind it.
        """
        if name == "delay":
            self.close(False, False, result, qubit)
            return _Run()
        for _, operation in self._moved_behind():
            result.append(operation, [qubit], copy=False)
        return _Run(self.x, self.z)

    def _moved_behind(self) -> list[tuple[str, Any]]:
        """The gates as they are with the leading Pauli moved behind them."""
        moved = []
        for name, operation in self.gates:
            if name == "rz" and self.x:
                operation = RZGate(-operation.params[0])
            elif name == "sx":
                # sx·Z·sx⁻¹ is Y up to a sign
                self.x ^= self.z
            moved.append((name, operation))
        return moved


def _absorb_x(gates: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The gates followed by X, with X moved back into the last sx or x."""
    for index in range(len(gates) - 1, -1, -1):
        name, operation = gates[index]
        if name == "rz":
            gates[index] = ("rz", RZGate(-operation.params[0]))
        elif name == "x":
            return gates[:index] + gates[index + 1 :]
        elif name == "sx":
            turn = ("rz", RZGate(np.pi))
            return [*gates[:index], turn, ("sx", SXGate()), turn, *gates[index + 1 :]]
    return [("x", XGate()), *gates]
