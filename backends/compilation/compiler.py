"""Compile a circuit for a device once, then only bind numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit import __version__ as qiskit_version
from qiskit.circuit import ParameterExpression
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.transpiler import Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from qvlm_qiskit.backends.compilation.deferral import deferred_circuit, without_lost
from qvlm_qiskit.backends.compilation.folded import legal_circuit
from qvlm_qiskit.backends.compilation.placement import (
    best_placement,
    log_success,
    moved,
    states_errors,
)
from qvlm_qiskit.backends.pubs.digest import circuit_digest, target_digest
from qvlm_qiskit.backends.pubs.unmeasured import (
    measures_in_its_middle,
    runs_dynamic,
    without_clbits,
)
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.computer.locks import new_lock
from qvlm_qiskit.basics.late_definitions import without_idle_resets
from qvlm_qiskit.errors import CapacityError, CircuitError

DEFAULT_TRIALS = 4
# Above this many two-qubit gates a transpilation takes a second, and one seed has to do unless
# more are asked for; nothing of that size runs without errors anyway.
MAX_GATES_FOR_TRIALS = 3000
# Of all compilers of this process together. On disk it would not pay (docs/log.md).
CACHE_SIZE = 256


@dataclass(frozen=True)
class CompiledCircuit:
    """A circuit in the device's gates, and its observables on the device's qubits.

    Attributes:
        circuit: The ISA circuit; its parameters are those of the source that still matter.
        observables: The observables on the ISA circuit's qubits, in the shape that was given.
        layout: layout[i] is the device qubit that holds logical qubit i at the end.
        two_qubit_gates: Number of gates on two or more qubits.
        depth: Depth of the ISA circuit, barriers not counted.
        success_probability: Estimated probability that neither a gate nor the readout of the
            circuit's qubits errs; None where the device states no errors.
    """

    circuit: QuantumCircuit
    observables: ObservablesArray
    layout: tuple[int, ...]
    two_qubit_gates: int
    depth: int
    success_probability: float | None


@dataclass(frozen=True)
class IsaCircuit:
    """A circuit in the device's gates, without observables: what is remembered.

    Attributes:
        circuit: The ISA circuit; its parameters are those of the source that still matter.
        final_layout: final_layout[i] is the device qubit that holds logical qubit i at the end.
        two_qubit_gates: Number of gates on two or more qubits.
        depth: Depth, barriers not counted.
        log_success: Logarithm of the estimated success probability; None where the device states
            no errors.
        lost: Logical qubits on which X and Y are 0, because they were measured.
    """

    circuit: QuantumCircuit
    final_layout: tuple[int, ...]
    two_qubit_gates: int
    depth: int
    log_success: float | None
    lost: frozenset[int] = frozenset()

    def report(self) -> dict[str, Any]:
        """What a result's metadata says of it."""
        return {
            "layout": list(self.final_layout),
            "two_qubit_gates": self.two_qubit_gates,
            "depth": self.depth,
        }


_cache: LruCache[Any, IsaCircuit] = LruCache(CACHE_SIZE)
# Passes of Qiskit borrow a target for themselves; two threads at once end in "Already borrowed".
transpiling = new_lock()


class Compiler:
    """Transpiles parametrised circuits for one target and remembers the results.

    Results are kept for the whole process. The key is the circuit's canonical digest and the
    compiler's `fingerprint`, so an equal circuit built again is found by every backend that would
    compile it the same way, and a changed circuit or a new calibration is not mistaken for the
    old. Of some transpiler seeds the one with the highest estimated success probability, readout
    of the circuit's qubits included, wins; the same seed always gives the same circuit.

    Args:
        target: The device.
        optimization_level: Qiskit's, 0 to 3.
        seed: Seeds the transpiler; None counts as 0, so that compiling is always repeatable.
        trials: How many seeds to compare, where the target states errors. None compares
            `DEFAULT_TRIALS`, or one where the first needs more than `MAX_GATES_FOR_TRIALS`
            two-qubit gates.
        calibration_date: When the target was calibrated, where that is known.
        dynamic: The device for circuits that measure in their middle; None where none run as they
            are.
        fractional: Whether rzz gates of the target take angles from 0 to π/2 only: circuits are
            judged by what `folded.legal_circuit` makes of them.
    """

    def __init__(
        self,
        target: Target,
        optimization_level: int = 2,
        seed: int | None = None,
        *,
        trials: int | None = None,
        calibration_date: str | None = None,
        dynamic: Target | None = None,
        fractional: bool = False,
    ) -> None:
        self.target = target
        self.optimization_level = optimization_level
        self.seed = seed or 0
        self.trials = trials
        self.calibration_date = calibration_date
        self.dynamic = dynamic
        self.fractional = fractional
        self._managers: dict[tuple[int, bool], Any] = {}

    @cached_property
    def fingerprint(self) -> str:
        """What compiling depends on beside the circuit: target, calibration, options, version."""
        parts = (
            qiskit_version,
            self.optimization_level,
            self.seed,
            self.trials,
            self.calibration_date,
            target_digest(self.target),
            *(["fractional"] if self.fractional else []),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def compile(self, circuit: QuantumCircuit, observables: Any) -> CompiledCircuit:
        """Transpile `circuit` and map `observables` onto the device's qubits.

        Args:
            circuit: A circuit without measurements at its end, parametrised or not; classical bits
                that nothing uses don't count.
            observables: Anything that Qiskit's `ObservablesArray` accepts.

        Raises:
            CapacityError: More qubits than the device has.
            CircuitError: Measurements at the end, some that can't be deferred to it, or observables
                of another width.
        """
        isa = self.isa(circuit)
        mapped = map_observables(ObservablesArray.coerce(observables), circuit, isa)
        success = None if isa.log_success is None else float(np.exp(isa.log_success))
        return CompiledCircuit(
            circuit=isa.circuit,
            observables=mapped,
            layout=isa.final_layout,
            two_qubit_gates=isa.two_qubit_gates,
            depth=isa.depth,
            success_probability=success,
        )

    def isa(self, circuit: QuantumCircuit) -> IsaCircuit:
        """The transpiled circuit, from the cache when an equal one was compiled before."""
        self._check(circuit)
        bare = without_idle_resets(circuit)
        if measures_in_its_middle(bare):
            return self._in_the_middle(bare)
        bare = without_idle_resets(without_clbits(circuit))
        key = (self.fingerprint, circuit_digest(bare))
        return _cache.get(key, lambda: self._best(bare))

    def _in_the_middle(self, circuit: QuantumCircuit) -> IsaCircuit:
        """As it is where the device runs it so, else with its measurements deferred to its end."""
        own = self.dynamic is not None and runs_dynamic(circuit, self.dynamic)
        key = (self.fingerprint, circuit_digest(circuit), "dynamic" if own else "deferred")
        if own:
            return _cache.get(key, lambda: self._transpile(circuit, 0, self.dynamic))
        return _cache.get(key, lambda: self._deferred(circuit))

    def _deferred(self, circuit: QuantumCircuit) -> IsaCircuit:
        later, lost = deferred_circuit(circuit)
        self._check(later, " with its measurements deferred")
        found = self._best(later)
        layout = found.final_layout[: circuit.num_qubits]
        return replace(found, final_layout=layout, lost=lost)

    def as_run(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """What the device sees of an ISA circuit."""
        return legal_circuit(circuit) if self.fractional else circuit

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the pass managers, which are made again on demand."""
        return {**self.__dict__, "_managers": {}}

    def _check(self, circuit: QuantumCircuit, how: str = "") -> None:
        available = self.target.num_qubits
        if available is not None and circuit.num_qubits > available:
            raise CapacityError(
                f"the circuit has {circuit.num_qubits} qubits{how}, the device {available}: use a "
                "smaller circuit or another backend"
            )

    def _best(self, circuit: QuantumCircuit) -> IsaCircuit:
        best = self._transpile(circuit, 0)
        trials = self.trials or DEFAULT_TRIALS
        if self.trials is None and best.two_qubit_gates > MAX_GATES_FOR_TRIALS:
            trials = 1
        if best.log_success is None:
            return best  # nothing to rank by
        for trial in range(1, trials):
            other = self._transpile(circuit, trial)
            if (other.log_success or 0.0) > best.log_success:
                best = other
        return best

    def _transpile(
        self, circuit: QuantumCircuit, trial: int, dynamic: Target | None = None
    ) -> IsaCircuit:
        """One try; a dynamic circuit stays on the qubits that the transpiler chooses."""
        manager = trial, dynamic is not None
        if manager not in self._managers:
            sequence = np.random.SeedSequence([self.seed, trial])
            self._managers[manager] = generate_preset_pass_manager(
                self.optimization_level,
                target=dynamic or self.target,
                seed_transpiler=int(sequence.generate_state(1)[0]) >> 1,
            )
        try:
            with transpiling:
                compiled = self._managers[manager].run(circuit)
        except TranspilerError as ex:
            raise CircuitError(f"the circuit can't be compiled for this device: {ex}") from ex
        _drop_idle_phase(compiled)
        layout = compiled.layout
        final = (
            tuple(range(circuit.num_qubits))
            if layout is None
            else tuple(layout.final_index_layout(filter_ancillas=True))
        )
        stated = states_errors(self.target)
        if stated and self.optimization_level > 0 and dynamic is None:
            placement = best_placement(compiled, self.target, final)
            compiled, final = moved(compiled, placement), tuple(placement[q] for q in final)
        seen = self.as_run(compiled)
        return IsaCircuit(
            circuit=compiled,
            final_layout=final,
            two_qubit_gates=seen.num_nonlocal_gates(),
            depth=seen.depth(lambda item: item.operation.name != "barrier"),
            log_success=log_success(seen, self.target, final) if stated else None,
        )


def _drop_idle_phase(circuit: QuantumCircuit) -> None:
    """Set a global phase to zero, in place, if only it holds some parameter.

    No expectation value depends on it, and the Runtime client loses such a parameter.
    """
    phase = circuit.global_phase
    if isinstance(phase, ParameterExpression):
        circuit.global_phase = 0.0
        if phase.parameters <= set(circuit.parameters):
            circuit.global_phase = phase


def map_observables(
    observables: ObservablesArray, circuit: QuantumCircuit, isa: IsaCircuit
) -> ObservablesArray:
    """Observables of a circuit on the qubits of its compiled form.

    Raises:
        CircuitError: They act on another number of qubits than the circuit.
    """
    if observables.num_qubits != circuit.num_qubits:
        raise CircuitError(
            f"the observables act on {observables.num_qubits} qubits, the circuit has "
            f"{circuit.num_qubits}"
        )
    return _without_projectors(without_lost(observables, isa.lost)).apply_layout(
        list(isa.final_layout), isa.circuit.num_qubits
    )


def _without_projectors(observables: ObservablesArray) -> ObservablesArray:
    """|0⟩⟨0| and the like as Pauli strings, which is all that the devices' estimators know."""
    array = observables.sparse_observables_array(copy=False)
    if not any(observable.contains_projectors() for observable in array.ravel()):
        return observables
    expanded = array.copy()
    for where, observable in enumerate(array.ravel()):
        expanded.reshape(-1)[where] = observable.as_paulis().simplify(0.0)
    return ObservablesArray(expanded, num_qubits=observables.num_qubits, validate=False)
