"""`Backend`: a named machine and the stack of estimators in front of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from typing import Any, Literal

from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit, Compiler
from qvlm_qiskit.backends.compilation.spread import spreads_of
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.limits import NO_LIMITS, JobLimits
from qvlm_qiskit.backends.preflight.preflight import Preflight, preflight
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.errors import BackendError, InputError, MitigationError

Kind = Literal["exact", "approximate", "simulated shots", "local runtime", "hardware"]
Wrapper = Callable[[BaseEstimatorV2], BaseEstimatorV2]
Recorder = Callable[[BaseEstimatorV2, dict[str, Any]], BaseEstimatorV2]

_REPORTED_PACKAGES = ("qvlm-qiskit", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq", "torch")


@dataclass(frozen=True, eq=False)
class Backend:
    """A machine, and everything between a model and it.

    `estimator()` is Compiled( Mitigated( device ) ), or Compiled( Mitigated( Recorded( device ) ) )
    after `recorded`, and with tiles Compiled( Spread( Mitigated( … ) ) ): compilation is
    outermost, so that mitigation folds and records hold the circuits that really run.

    Attributes:
        name: The name that `open_backend` was given.
        kind: "exact" (no sampling), "approximate" (neither sampling nor exact: `device_options` say
            what is cut off), "simulated shots", "local runtime" (the Runtime client on a
            fake device) or "hardware".
        num_qubits: Number of qubits of the machine.
        options: The options that it was opened with.
        device: The estimator that runs ISA pubs.
        compiler: Compiles for the device; None where the device takes any circuit.
        wrappers: Mitigation, the innermost first; each takes an estimator and returns one.
        default_precision: Precision of pubs that name none; None on exact backends.
        device_options: What determines the raw values of `device`, JSON-able.
        noise: A summary of the noise, JSON-able; None where there is none or it is unknown.
        mitigations: The mitigations that this backend offers.
        rep_delay_seconds: The pause before every execution on the machine that this backend is, or
            imitates; None where there is no such machine, or it states none: the time on it is not
            estimated then.
        limits: What that machine documents about the size of jobs.
        service: Makes the service that runs this machine's jobs, of the keyword arguments that
            `jobs.Recording` has for it; None: the jobs are run on this computer, by `device`.
        reopen: Opens the same machine with other options.
        origin: Opens the same machine in another process; None where that can't be done.
        notes: What was done otherwise than asked for, and why.
    """

    name: str
    kind: Kind
    num_qubits: int
    options: BackendOptions
    device: BaseEstimatorV2
    compiler: Compiler | None = None
    wrappers: tuple[Wrapper, ...] = ()
    default_precision: float | None = None
    device_options: Mapping[str, Any] = field(default_factory=dict)
    noise: Mapping[str, Any] | None = None
    mitigations: tuple[str, ...] = ("none",)
    rep_delay_seconds: float | None = None
    limits: JobLimits = NO_LIMITS
    service: Callable[..., JobService] | None = None
    reopen: Callable[[BackendOptions], Backend] | None = None
    origin: Callable[[BackendOptions], Backend] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a real machine whose jobs nobody would count or pay for.

        Raises:
            BackendError: Hardware without a service.
        """
        if self.kind == "hardware" and self.service is None:
            raise BackendError(
                f"backend {self.name!r} is hardware and says nothing about its jobs: give "
                "Backend(service=…), see qvlm_qiskit.backends.service"
            )

    @cached_property
    def _stack(self) -> BaseEstimatorV2:
        estimator = self.device
        for wrap in self.wrappers:
            estimator = wrap(estimator)
        if self.compiler is None:
            return estimator
        compiled = Compiled(estimator, self.compiler, self.default_precision)
        compiled.opened_by = self
        return compiled

    def __reduce__(self) -> Any:
        """How another process opens the same machine: `origin` with these options.

        Raises:
            BackendError: This backend can't be opened there.
        """
        if self.origin is None:
            raise BackendError(
                f"backend {self.name!r} can't go to another process: it was made by hand, or "
                "records into an open ledger. Open it there"
            )
        return self.origin, (self.options,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        """The same backend: copies of a model go on with the same machine."""
        return self

    def __copy__(self) -> Backend:
        """The same backend."""
        return self

    def estimator(self) -> BaseEstimatorV2:
        """The whole stack, the same object at every call, so that its caches live on."""
        return self._stack

    def compile(self, circuit: QuantumCircuit, observables: Any) -> CompiledCircuit:
        """What will run on the device for this circuit.

        Raises:
            CapacityError: More qubits than the device has.
            CircuitError: Measurements, control flow, or observables of another width.
        """
        if self.compiler is not None:
            return self.compiler.compile(circuit, observables)
        return CompiledCircuit(
            circuit=circuit,
            observables=ObservablesArray.coerce(observables),
            layout=tuple(range(circuit.num_qubits)),
            two_qubit_gates=circuit.num_nonlocal_gates(),
            depth=circuit.depth(),
            success_probability=None,
        )

    def with_mitigation(self, mitigation: str) -> Backend:
        """The same machine and options with another mitigation.

        Raises:
            MitigationError: It is unknown or not offered here.
        """
        if mitigation == self.options.mitigation:
            return self
        options = replace(self.options, mitigation=mitigation)
        if self.reopen is None:
            options.only(self.name, [f.name for f in fields(options)], self.mitigations)
            raise MitigationError(f"backend {self.name!r} can't be opened again")
        opened = replace(self.reopen(options), origin=self.origin)
        return opened if opened.reopen else replace(opened, reopen=self.reopen)

    def job_service(self, **options: Any) -> JobService | None:
        """A new service for this machine's jobs, for one thread; None: this computer runs them.

        Args:
            options: What the machine's service takes.

        Raises:
            InputError: It takes no such option.
        """
        if self.service is None:
            return None
        try:
            signature(self.service).bind(**options)
        except TypeError as ex:
            raise InputError(f"the service of backend {self.name!r} has {ex}") from ex
        return self.service(**options)

    def preflight(
        self,
        subject: Any,
        batch: Any = 1,
        *,
        mitigations: Sequence[str] | None = None,
        service_dry_run: bool = False,
    ) -> Preflight:
        """What circuits become here, and what running them would execute; nothing is run.

        See `qvlm_qiskit.backends.preflight.preflight.preflight` for the arguments.
        """
        return preflight(
            self, subject, batch, mitigations=mitigations, service_dry_run=service_dry_run
        )

    def device_description(self) -> dict[str, Any]:
        """What the device's raw results depend on; nothing about compiling or mitigation."""
        description = {
            "name": self.name,
            "kind": self.kind,
            "seed": self.options.seed,
            **self.device_options,
        }
        if self.compiler is None:
            # Nobody writes the precision into such a backend's pubs: it is the device's own.
            description["default_precision"] = self.default_precision
        return description

    def describe(self) -> dict[str, Any]:
        """Everything that a report has to state about where its numbers come from, JSON-able."""
        return {
            "name": self.name,
            "kind": self.kind,
            "num_qubits": self.num_qubits,
            "shots": self.options.shots,
            "precision": self.default_precision,
            "mitigation": self.options.mitigation,
            "techniques": [
                {"technique": step.name, "what": step.sentence, **step.parameters()}
                for step in self.options.steps
            ],
            "choices": self._choices(),
            **self._tiles(),
            **({"fractional": True} if self.options.fractional else {}),
            "seed": self.options.seed,
            "optimization_level": (
                None if self.compiler is None else self.compiler.optimization_level
            ),
            "device": dict(self.device_options),
            "calibration_date": (None if self.compiler is None else self.compiler.calibration_date),
            "noise": None if self.noise is None else dict(self.noise),
            "notes": list(self.notes),
            "versions": installed_versions(),
        }

    def _tiles(self) -> dict[str, Any]:
        """The rule by which tiles are taken, and those of the circuits so far."""
        if self.options.tiles == "none":
            return {}
        spreads = list(spreads_of(self.__dict__.get("_stack")))
        found = [one for spread in spreads for one in spread.tilings()]
        rule = spreads[0].rule if spreads else self.options.tile_rule
        return {"tiles": {**asdict(rule), "circuits": found}}

    def _choices(self) -> list[dict[str, Any]]:
        """What an automatic mitigation has chosen so far, and why."""
        for layer in stack_of(self.__dict__.get("_stack")):
            if hasattr(layer, "describe"):
                found: list[dict[str, Any]] = layer.describe()
                return found
        return []

    def recorded(self, recorder: Recorder) -> Backend:
        """A copy whose device is passed through `recorder`, also with another mitigation.

        Args:
            recorder: Takes the device's estimator and `device_description()`, and returns the
                estimator to put in its place, such as `jobs.Recorded`. Where that one keeps the
                device's as its attribute ``inner``, `preflight` states the costs of the device, as
                if nothing had been recorded.
        """
        reopen = self.reopen
        return replace(
            self,
            device=recorder(self.device, self.device_description()),
            origin=None,
            reopen=None if reopen is None else lambda opts: reopen(opts).recorded(recorder),
        )


def installed_versions() -> dict[str, str]:
    """Versions of the installed packages that results depend on."""
    found = {}
    for package in _REPORTED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
