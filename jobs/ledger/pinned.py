"""Compiled circuits that are kept, so that whoever goes on later sends the very same ones.

A machine is calibrated again every day, and compiling then chooses other qubits: rows that were
paid for would not be found again. A run therefore keeps what was compiled for it at its start.

    circuits.json   format; per circuit: digest of the source, file, layout, counts, success
    circuit-N.qpy   the ISA circuit
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qiskit import QuantumCircuit

from qvlm_qiskit.backends.compilation.compiler import Compiler, IsaCircuit
from qvlm_qiskit.backends.compilation.placement import (
    operations,
    placed_log_success,
    used_qubits,
)
from qvlm_qiskit.backends.pubs.archive import (
    UNREADABLE,
    circuit_bytes,
    read_circuit,
    unzipped,
    zipped,
)
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import BackendError, LedgerError

FORMAT = 1
INDEX = "circuits.json"


@dataclass(frozen=True)
class Drift:
    """What calibrations have made of circuits since they were compiled.

    Attributes:
        planned: Product of their estimated success probabilities when they were compiled.
        now: The same on the machine as it is.
    """

    planned: float
    now: float

    def check(self, most: float | None) -> None:
        """Refuse to go on where the estimate fell by more than a user takes.

        Raises:
            BackendError: It did.
        """
        if most is not None and self.planned - self.now > most:
            raise BackendError(
                f"the machine was calibrated again: the circuits' estimated success fell from "
                f"{self.planned:.2g} to {self.now:.2g}, by more than {most:g}; nothing more is "
                "sent. Cancel the run and submit it anew"
            )


class PinnedCompiler(Compiler):
    """A compiler that already knows some circuits, whatever its target says by now.

    Args:
        compiler: Compiles all others.
        known: ISA circuits by the digest of their source.
    """

    def __init__(self, compiler: Compiler, known: Mapping[str, IsaCircuit]) -> None:
        super().__init__(
            compiler.target,
            compiler.optimization_level,
            compiler.seed,
            trials=compiler.trials,
            calibration_date=compiler.calibration_date,
            fractional=compiler.fractional,
        )
        self.known = dict(known)

    def isa(self, circuit: QuantumCircuit) -> IsaCircuit:
        """The known ISA circuit, or a new one."""
        return self.known.get(circuit_digest(circuit)) or super().isa(circuit)

    def drift(self) -> Drift | None:
        """What the known circuits' success is estimated to be by now; None without errors."""
        planned, now = 0.0, 0.0
        for isa in self.known.values():
            if isa.log_success is None:
                return None
            planned += isa.log_success
            now += self._log_success(isa)
        return Drift(math.exp(planned), math.exp(now))

    def _log_success(self, isa: IsaCircuit) -> float:
        """On the target as it is; −∞ where it lacks a gate that the circuit has."""
        counts = operations(self.as_run(isa.circuit), isa.final_layout)
        names = {name for name, _ in counts}
        if not names <= set(self.target.operation_names):
            return -math.inf
        places = {qubit: qubit for qubit in used_qubits(counts)}
        return placed_log_success(counts, self.target, places)


def compiled_bytes(compiler: Compiler, circuits: Iterable[QuantumCircuit]) -> bytes:
    """Compile circuits, and everything that `pinned` needs to know about them, as an archive.

    Raises:
        CapacityError: A circuit has more qubits than the device.
        CircuitError: A circuit can't be compiled, or QPY can't hold it.
    """
    files, entries = {}, []
    for number, circuit in enumerate(circuits):
        isa, name = compiler.isa(circuit), f"circuit-{number}.qpy"
        digest = circuit_digest(isa.circuit)
        files[name] = circuit_bytes(isa.circuit, digest)
        entries.append(
            {
                "source": circuit_digest(circuit),
                "file": name,
                "isa": digest,
                "layout": [int(qubit) for qubit in isa.final_layout],
                "two_qubit_gates": isa.two_qubit_gates,
                "depth": isa.depth,
                "log_success": isa.log_success,
            }
        )
    index = json.dumps({"format": FORMAT, "circuits": entries}, allow_nan=False)
    return zipped({**files, INDEX: index.encode()})


def pinned(compiler: Compiler, content: bytes) -> PinnedCompiler:
    """A compiler that gives the circuits of `compiled_bytes` again.

    Raises:
        LedgerError: They are damaged, of another version, or read differently.
    """
    known = {}
    try:
        files, index = unzipped(content, INDEX, FORMAT, "compiled circuits")
        for entry in index["circuits"]:
            circuit = read_circuit(files[entry["file"]])
            if circuit_digest(circuit) != entry["isa"]:
                raise LedgerError("a compiled circuit reads differently from what was written")
            known[entry["source"]] = IsaCircuit(
                circuit=circuit,
                final_layout=tuple(entry["layout"]),
                two_qubit_gates=entry["two_qubit_gates"],
                depth=entry["depth"],
                log_success=entry["log_success"],
            )
    except LedgerError:
        raise
    except UNREADABLE as ex:
        raise LedgerError(f"compiled circuits can't be read: {ex}") from ex
    return PinnedCompiler(compiler, known)
