"""What circuits become on a machine, and what running them would cost, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit
from qvlm_qiskit.backends.compilation.spread import spreads_of
from qvlm_qiskit.backends.compilation.tiles import touching
from qvlm_qiskit.backends.preflight.advice import advice
from qvlm_qiskit.backends.preflight.costs import COMPUTED, LevelReport, Machine, level_report
from qvlm_qiskit.backends.preflight.dry_run import DryRun, dry_run
from qvlm_qiskit.backends.preflight.limits import FORMULA, circuit_seconds
from qvlm_qiskit.backends.preflight.rehearse import (
    AskedCircuit,
    blocks_of,
    exact_estimator,
    rehearse,
)
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.late_definitions import needs_values, without_idle_resets
from qvlm_qiskit.basics.progress import Reporter
from qvlm_qiskit.errors import InputError, QVLMError


@dataclass(frozen=True)
class ReportTable:
    """Text in rows; columns named with ">" hold numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class BlockReport:
    """One circuit on the machine.

    Attributes:
        block: Its name.
        qubits: Logical qubits.
        parameters: Parameters of the circuit.
        observables: Observables that are read from it.
        layout: Device qubit of each logical qubit at the end.
        two_qubit_gates: Gates on two qubits of the compiled circuit.
        depth: Depth of the compiled circuit.
        duration_us: Critical path with the readout, in µs; None where durations are not stated.
        success_probability: That neither a gate nor the readout errs; None where not stated.
        advice: What is wrong with it there, and what to use instead; what its cuts cost.
        refused: Why it can't be compiled, or None.
    """

    block: str
    qubits: int
    parameters: int
    observables: int
    layout: tuple[int, ...] = ()
    two_qubit_gates: int | None = None
    depth: int | None = None
    duration_us: float | None = None
    success_probability: float | None = None
    advice: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Preflight:
    """The report: blocks, and costs by mitigation.

    Attributes:
        backend: The machine's name.
        kind: Its kind.
        num_qubits: Its qubits.
        calls: Calls of `run` that the batch makes.
        rows: Rows of parameter values that are sent, after equal ones were merged.
        blocks: By circuit.
        levels: By mitigation.
        formula: How `seconds_qpu` is estimated, and its source.
        dry_run: The service's own figure for one of the jobs; None where it was not asked.
    """

    backend: str
    kind: str
    num_qubits: int
    calls: int
    rows: int
    blocks: tuple[BlockReport, ...]
    levels: tuple[LevelReport, ...]
    formula: str = FORMULA
    dry_run: DryRun | None = None

    @property
    def computes(self) -> bool:
        """Whether values are computed, without shots and without jobs."""
        return self.kind in COMPUTED

    @property
    def fits(self) -> bool:
        """Whether every block compiles, and every mitigation runs within the limits."""
        return not any(b.refused for b in self.blocks) and not any(
            level.refused or level.limits for level in self.levels
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"fits": self.fits, **asdict(self)}

    def tables(self) -> list[ReportTable]:
        """The report as text in rows: circuits, and costs by mitigation."""
        return [_circuits_table(self), _costs_table(self)]

    def notes(self) -> list[str]:
        """Refusals, broken limits and advice, one sentence each."""
        said = []
        for block in self.blocks:
            said += [f"{block.block}: {text}" for text in (block.refused, *block.advice) if text]
        for level in self.levels:
            texts = (level.refused, *level.limits, *level.unsure)
            said += [f"{level.mitigation}: {text}" for text in texts if text]
        if self.dry_run is not None:
            said.append(str(self.dry_run))
        return list(dict.fromkeys(said))


def preflight(
    backend: Machine,
    subject: Any,
    batch: Any = 1,
    *,
    mitigations: Sequence[str] | None = None,
    service_dry_run: bool = False,
) -> Preflight:
    """Compile the circuits and count what a batch would execute; nothing is run on the machine.

    Executions are exact: the same stack plans them that would run them. Where a batch's circuits
    depend on measured values (the words of a generated answer are inputs of the next step), they
    are those of exact values.

    Args:
        backend: The machine, with the shots or precision that are meant.
        subject: A model with quantum layers, a quantum layer, or a mapping of names to
            ``(circuit, observables)``.
        batch: A number of distinct rows for every block; or the inputs of the model or layer (a
            mapping of keyword arguments, or one argument); or a function without arguments that
            runs the model, such as ``lambda: evaluate(model, processor, samples)``.
        mitigations: By default the backend's own, where it has one, or all that it offers.
        service_dry_run: Also send the largest job to the machine's service as a dry run, which
            uses no time on the machine, and state its figure; of one mitigation only.

    Raises:
        InputError: A subject or batch that can't be understood.
        MitigationError: A mitigation that this backend doesn't offer.
    """
    if mitigations is None:
        mitigations = compared_mitigations(backend)
    if service_dry_run:
        check_one(mitigations)
    calls = rehearse(subject, batch, exact_estimator())
    report = preflight_calls(backend, subject, calls, mitigations)
    return with_dry_run(report, backend, calls) if service_dry_run else report


def check_one(mitigations: Sequence[str]) -> None:
    """Refuse a dry run of several mitigations: each would be a job.

    Raises:
        InputError: There are several.
    """
    if len(mitigations) != 1:
        raise InputError(
            "a dry run of the service is one job: name one mitigation, 'none' for example"
        )


def with_dry_run(report: Preflight, backend: Machine, calls: Sequence[Call]) -> Preflight:
    """The report of one mitigation, with the service's own figure for its largest job.

    Args:
        report: Of `preflight_calls`.
        backend: The machine.
        calls: The same.
    """
    name = report.levels[0].mitigation
    return replace(report, dry_run=dry_run(name, backend.with_mitigation(name), calls))


def compared_mitigations(backend: Machine) -> tuple[str, ...]:
    """The backend's own mitigation, where it has one, or all that it offers."""
    own = backend.options.mitigation
    return tuple(backend.mitigations) if own == "none" else (own,)


def preflight_calls(
    backend: Machine,
    subject: Any,
    calls: Sequence[Call],
    mitigations: Sequence[str],
    report: Reporter | None = None,
) -> Preflight:
    """`preflight` of calls that are known already.

    Args:
        backend: The machine.
        subject: As `preflight` takes it.
        calls: What `rehearse` found.
        mitigations: Which to compare.
        report: Called with the number of mitigations that are counted, and the name of the next.

    Raises:
        InputError: A subject that can't be understood.
        MitigationError: A mitigation that this backend doesn't offer.
    """
    variants = [(name, backend.with_mitigation(name)) for name in mitigations]
    blocks = blocks_of(subject)
    levels = []
    for done, (name, variant) in enumerate(variants):
        if report is not None:
            report(done, name)
        levels.append(level_report(name, variant, calls))
    if report is not None:
        report(len(variants))
    return Preflight(
        backend=backend.name,
        kind=backend.kind,
        num_qubits=backend.num_qubits,
        calls=len(calls),
        rows=sum(pub.parameter_values.size for call in calls for pub in call.pubs),
        blocks=tuple(_block_report(backend, block, calls) for block in blocks),
        levels=tuple(levels),
    )


def _block_report(backend: Machine, block: AskedCircuit, calls: Sequence[Call]) -> BlockReport:
    known: dict[str, Any] = {
        "block": block.name,
        "qubits": block.circuit.num_qubits,
        "parameters": block.circuit.num_parameters,
        "observables": block.observables.size,
    }
    notes = (block.note,) if block.note else ()
    try:
        compiled = backend.compile(_defined(block, calls), block.observables)
        tiles = _tiles(backend, compiled)
    except QVLMError as ex:
        return BlockReport(**known, advice=notes, refused=str(ex))
    return BlockReport(
        **known,
        layout=tuple(int(qubit) for qubit in compiled.layout),
        two_qubit_gates=compiled.two_qubit_gates,
        depth=compiled.depth,
        duration_us=_duration_us(backend, compiled),
        success_probability=compiled.success_probability,
        advice=(*notes, *tiles, *advice(block.circuit, compiled)),
    )


def _tiles(backend: Machine, compiled: CompiledCircuit) -> list[str]:
    """A sentence on the tiles of a circuit, where there are some.

    Raises:
        InputError: Fewer tiles than were asked for fit.
    """
    pub = EstimatorPub(compiled.circuit, compiled.observables, validate=False)
    said = []
    for spread in spreads_of(backend.estimator()):
        tiles = spread.tiling(pub).tiles
        errors = [tile.error for tile in tiles]
        low, high, repeats = errors[0], errors[-1], spread.rule.repeats
        said.append(f"tiles: {len(errors)}, with estimated errors from {low:.2g} to {high:.2g}")
        if spread.rule.crosstalk and touching(tiles, spread.target):
            said.append(
                "tiles touch, and this noise has crosstalk between coupled qubits: values depend "
                "on the rows beside them; take tile_spacing=1 or more"
            )
        if repeats:
            said.append(f"{repeats} rows of every call are asked on all tiles that it uses")
    return said


def _defined(block: AskedCircuit, calls: Sequence[Call]) -> QuantumCircuit:
    """A block's circuit; one that is defined only with values, with those of the first row."""
    pubs = [pub for call in calls if call.block == block.name for pub in call.pubs if pub.size]
    if not pubs or not needs_values(block.circuit):
        return block.circuit
    circuit, values = pubs[0].circuit, pubs[0].parameter_values
    rows = values.as_array(circuit.parameters).reshape(-1, circuit.num_parameters)
    return without_idle_resets(circuit.assign_parameters(rows[0]))


def _duration_us(backend: Machine, compiled: CompiledCircuit) -> float | None:
    if backend.compiler is None:
        return None
    measured = backend.compiler.as_run(compiled.circuit).copy()
    measured.add_register(ClassicalRegister(len(compiled.layout)))
    measured.measure(compiled.layout, range(len(compiled.layout)))
    seconds = circuit_seconds(measured, backend.compiler.target)
    return None if seconds is None else seconds * 1e6


def _circuits_table(report: Preflight) -> ReportTable:
    return ReportTable(
        f"circuits on {report.backend}",
        (
            "block",
            ">qubits",
            "device qubits",
            ">2q gates",
            ">depth",
            ">duration µs",
            ">success",
        ),
        [
            (
                block.block,
                str(block.qubits),
                " ".join(map(str, block.layout)),
                _number(block.two_qubit_gates),
                _number(block.depth),
                _number(block.duration_us, ".2f"),
                _number(block.success_probability, ".2g"),
            )
            for block in report.blocks
        ],
    )


def _costs_table(report: Preflight) -> ReportTable:
    return ReportTable(
        f"costs of {report.rows:,} rows in {report.calls:,} calls",
        (
            "mitigation",
            ">jobs",
            ">circuits",
            ">executions",
            ">QPU s",
            ">shots for precision",
        ),
        [
            (
                level.mitigation,
                _number(level.jobs),
                _number(level.circuits),
                ("≤ " if level.at_most else "") + _number(level.executions),
                _number(level.seconds_qpu, ",.1f"),
                _number(level.shots_for_precision),
            )
            for level in report.levels
        ],
    )


def _number(value: float | None, form: str = ",") -> str:
    return "–" if value is None else format(value, form)
