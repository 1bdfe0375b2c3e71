"""Gradients for any V2 estimator, one broadcast pub per distinct circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.providers import Options
from qiskit_machine_learning.algorithm_job import AlgorithmJob
from qiskit_machine_learning.gradients import BaseEstimatorGradient, EstimatorGradientResult

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum.gradients.adjoint import AdjointSweep, aer_states, is_aer, require_exact
from qvlm_qiskit.quantum.gradients.hidden_parameters import with_visible_parameters
from qvlm_qiskit.quantum.gradients.request import Batch, CircuitCache, split_request
from qvlm_qiskit.quantum.gradients.shift_rows import distinct_rows, jacobian, plan_rows, variances
from qvlm_qiskit.quantum.gradients.shift_template import ShiftTemplate, build_template
from qvlm_qiskit.quantum.program.program import Program, compile_circuit
from qvlm_qiskit.sampled_gradients import DEFAULT_EPSILON, DEFAULT_SAMPLES

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Method = Literal["param_shift", "adjoint", "spsa"]

METHODS = ("param_shift", "adjoint", "spsa")


@dataclass(frozen=True)
class _Work:
    """One pub, and how its values ``(n_observables, n_rows)`` become derivatives."""

    circuit: QuantumCircuit
    parameters: Sequence[Parameter]
    rows: Array
    finish: Callable[[Array], Array]
    spread: Callable[[Array], Array]
    """From the values' variances to those of the derivatives."""


@dataclass(frozen=True)
class GradientResult(EstimatorGradientResult):  # type: ignore[misc]
    """The base class's result, and how far it is to be trusted.

    Attributes:
        variances: Of every derivative, from the values' standard errors; 0 where none are stated.
    """

    variances: list[Array] = field(default_factory=list)


class BatchedEstimatorGradient(BaseEstimatorGradient):
    r"""Gradients of expectation values in one call of the estimator.

    Use it as ``EstimatorQNN(gradient=BatchedEstimatorGradient(estimator))``, or through
    :meth:`run`. Whatever a request repeats (a circuit, an observable, a vector of values) is
    evaluated once: ``estimator.run`` is called once, with one pub per distinct circuit, in which
    all observables are broadcast against all parameter rows.

    - ``"param_shift"`` is exact for every circuit of standard gates, and works with every
      estimator, noisy ones and hardware included; formulas and sources in
      :mod:`~qvlm_qiskit.quantum.gradients.shift_rules`. Rows per vector: 2 for every gate angle
      that depends on a wanted parameter, 4 if the gate is a controlled rotation (crx, cry, crz, and
      the first angle of cu). Gates that are not in the rules' table count as their definition.
    - ``"spsa"`` needs ``2·samples`` rows per vector, whatever the number of parameters. It
      estimates the gradient from simultaneous random perturbations :math:`\Delta_i = \pm 1` of
      the wanted parameters (Spall, doi:10.1109/9.119632), averaged over ``samples`` of them:
      :math:`\hat g_i = \Delta_i \, [E(p + \epsilon\Delta) - E(p - \epsilon\Delta)] / 2\epsilon`.
      Its bias is :math:`O(\epsilon^2)`. The variance of component *i* is
      :math:`(\sum_{j \ne i} g_j^2 + \sigma^2 / 2\epsilon^2) / \mathrm{samples}`, where
      :math:`\sigma` is the standard deviation of the estimator's values. So a small epsilon is
      for exact estimators only. Observables share their perturbations, and rows that coincide
      are sent once.
    - ``"adjoint"`` sends no pubs. It is for exact, noise-free simulators only and raises for every
      other estimator; see :func:`~qvlm_qiskit.quantum.gradients.adjoint.require_exact`. States of
      Aer are made by Aer, on its device; the backward sweep runs in torch.
    """

    def __init__(
        self,
        estimator: BaseEstimatorV2,
        method: Method = "param_shift",
        *,
        precision: float | None = None,
        epsilon: float | None = None,
        samples: int | None = None,
        seed: int | None = None,
        pass_manager: Any = None,
    ) -> None:
        """Choose a method.

        Args:
            estimator: Any V2 estimator.
            method: ``"param_shift"``, ``"adjoint"`` or ``"spsa"``.
            precision: Passed to every ``estimator.run``; None leaves it to the estimator.
            epsilon: Of ``"spsa"``: the size of a perturbation in radians, by default 0.1.
            samples: Of ``"spsa"``: how many perturbations to average, by default 1.
            seed: Of ``"spsa"``.
            pass_manager: Transpiles what is sent, once per circuit; observables follow its layout.
                Not needed if the estimator compiles by itself.

        Raises:
            UnknownNameError: Unknown method.
            InputError: An option out of range, or of another method.
            BackendError: ``"adjoint"`` with an estimator that is not an exact simulator.
        """
        if method not in METHODS:
            raise UnknownNameError("gradient method", str(method), METHODS)
        own = {"epsilon": epsilon, "samples": samples, "seed": seed}
        given = ", ".join(name for name, value in own.items() if value is not None)
        if given and method != "spsa":
            raise InputError(f"{given}: only for method='spsa', not for method={method!r}")
        if method == "adjoint" and pass_manager is not None:
            raise InputError("pass_manager: method='adjoint' sends no circuits to transpile")
        _check_precision(precision)
        options = None if precision is None else {"precision": precision}
        super().__init__(estimator, options=options, pass_manager=pass_manager)
        self.method = method
        self.epsilon = DEFAULT_EPSILON if epsilon is None else float(epsilon)
        self.samples = DEFAULT_SAMPLES if samples is None else int(samples)
        if not self.epsilon > 0 or self.samples < 1:
            raise InputError(
                "epsilon must be positive and samples at least 1, got "
                f"epsilon={epsilon}, samples={samples}"
            )
        if method == "adjoint":
            require_exact(estimator, precision)
        self._rng = np.random.default_rng(seed)
        self._make_caches()

    def run(
        self,
        circuits: Sequence[QuantumCircuit] | QuantumCircuit,
        observables: Sequence[Any] | Any,
        parameter_values: Sequence[Sequence[float]] | Array,
        parameters: Sequence[Sequence[Parameter] | None] | None = None,
        **options: Any,
    ) -> AlgorithmJob:
        """Start computing gradients; see the base class for the arguments.

        Args:
            circuits: One circuit per entry of the request.
            observables: One observable per entry.
            parameter_values: One vector per entry, in the order of ``circuit.parameters``.
            parameters: The parameters to differentiate by, per entry; None means all.
            options: ``precision``, in place of the one given at construction.

        Raises:
            ValueError: Lengths or widths that don't match, or foreign parameters.
            UnknownNameError: Another option.
            BackendError: ``"adjoint"``, and the estimator is not exact at this precision.
        """
        for name in options:
            if name != "precision":
                raise UnknownNameError("gradient option", name, ["precision"])
        precision = {**self._default_options.__dict__, **options}.get("precision")
        _check_precision(precision)
        if self.method == "adjoint":
            require_exact(self._estimator, precision)
        if isinstance(circuits, QuantumCircuit):
            circuits = (circuits,)
        if parameters is None:
            # one object per circuit, so that repeated entries are recognised by identity
            shared = {id(circuit): circuit.parameters for circuit in _unique(circuits)}
            parameters = [shared[id(circuit)] for circuit in circuits]
        return super().run(circuits, observables, parameter_values, parameters, **options)

    @property
    def options(self) -> Options:
        """The options of every call; the estimator's own are its business."""
        options = Options()
        options.update_options(**self._default_options.__dict__)
        return options

    @staticmethod
    def _validate_arguments(
        circuits: Sequence[QuantumCircuit],
        observables: Sequence[Any],
        parameter_values: Any,
        parameters: Sequence[Sequence[Parameter]],
    ) -> None:
        """The base class's checks, at the price of the distinct entries."""
        validate = BaseEstimatorGradient._validate_arguments  # noqa: SLF001
        sizes = {len(a) for a in (circuits, observables, parameter_values, parameters)}
        if len(sizes) == 1:
            entries = zip(circuits, observables, parameter_values, parameters, strict=True)
            distinct = {(id(c), id(o), len(v), id(p)): (c, o, v, p) for c, o, v, p in entries}
            try:
                validate(*zip(*distinct.values(), strict=True)) if distinct else None
            except ValueError:
                pass  # said again below, with the right entry's number
            else:
                return
        validate(circuits, observables, parameter_values, parameters)

    def _run(
        self,
        circuits: Sequence[QuantumCircuit],
        observables: Sequence[Any],
        parameter_values: Any,
        parameters: Sequence[Sequence[Parameter]],
        **options: Any,
    ) -> GradientResult:
        gradients: list[Array] = [np.zeros(len(chosen)) for chosen in parameters]
        spreads: list[Array] = [np.zeros(len(chosen)) for chosen in parameters]
        batches = split_request(circuits, observables, parameter_values, parameters)
        batches = [batch for batch in batches if batch.wanted.any()]
        found: list[tuple[Array, Array | None]]
        if self.method == "adjoint":
            found = [(self._adjoint(batch), None) for batch in batches]
        else:
            found = self._through_pubs(batches, options.get("precision"))
        for batch, (values, squares) in zip(batches, found, strict=True):
            batch.scatter(values, gradients)
            if squares is not None:
                batch.scatter(squares, spreads)
        return GradientResult(
            gradients=gradients,
            metadata=[{"parameters": chosen} for chosen in parameters],
            variances=spreads,
            options=Options(**options),
        )

    def _through_pubs(
        self, batches: Sequence[Batch], precision: float | None
    ) -> list[tuple[Array, Array | None]]:
        """Of every batch its Jacobian and the variances that its values' standard errors give it.

        An estimator that states no standard errors gives none.
        """
        make = self._shift_work if self.method == "param_shift" else self._spsa_work
        work = [make(batch) for batch in batches]
        sent = [i for i, item in enumerate(work) if len(item.rows)]
        pubs = [self._pub(work[i], batches[i].observables) for i in sent]
        data: dict[int, Any] = {}
        if pubs:
            named = {} if precision is None else {"precision": precision}
            results = self._estimator.run(pubs, **named).result()
            data = {i: result.data for i, result in zip(sent, results, strict=True)}
        found: list[tuple[Array, Array | None]] = []
        for i, item in enumerate(work):
            if i not in data:
                nothing = np.zeros((len(batches[i].observables), 0))
                found.append((item.finish(nothing), None))
                continue
            stds = getattr(data[i], "stds", None)
            squares = None if stds is None else item.spread(np.asarray(stds, float) ** 2)
            found.append((item.finish(np.asarray(data[i].evs, float)), squares))
        return found

    def _pub(self, work: _Work, observables: Sequence[Any]) -> tuple[Any, ...]:
        circuit, rows, mapped = work.circuit, work.rows, observables
        columns = list(range(rows.shape[1]))
        if self._pass_manager is not None:
            circuit = self._compiled(circuit)
            if circuit.layout is not None:
                mapped = [o.apply_layout(circuit.layout) for o in observables]
            kept = set(circuit.parameters)  # the optimiser may have removed some
            columns = [i for i, p in enumerate(work.parameters) if p in kept]
        names = tuple(work.parameters[i] for i in columns)
        bindings = BindingsArray({names: rows[:, columns]} if names else None, shape=(len(rows),))
        return circuit, [[observable] for observable in mapped], bindings

    def _shift_work(self, batch: Batch) -> _Work:
        template = self._template(batch.circuit)
        plan = plan_rows(template, batch.values, batch.wanted)
        return _Work(
            template.circuit,
            template.slots,
            plan.angles,
            lambda evs: jacobian(template, plan, evs),
            lambda squares: variances(template, plan, squares),
        )

    def _spsa_work(self, batch: Batch) -> _Work:
        values, wanted = batch.values, batch.wanted
        size = (len(values), self.samples, values.shape[1])
        signs = self._rng.choice([-1.0, 1.0], size) * wanted[:, None, :]
        moves = self.epsilon * signs[wanted.any(axis=1)]
        base = values[wanted.any(axis=1), None, :]
        everything = np.concatenate([base + moves, base - moves]).reshape(-1, values.shape[1])
        rows, copies = distinct_rows(everything)

        def halves(values: Array) -> Array:
            """Along the directions: values ahead, and behind."""
            return np.stack(
                np.split(values[:, copies].reshape(len(values), -1, self.samples), 2, axis=1)
            )

        def finish(evs: Array) -> Array:
            plus, minus = halves(evs)
            slopes = np.zeros((len(evs), *size[:2]))
            slopes[:, wanted.any(axis=1)] = (plus - minus) / (2 * self.epsilon)
            total: Array = np.einsum("obs,bsp->obp", slopes, signs)
            return total / self.samples

        def spread(squares: Array) -> Array:
            found = np.zeros((len(squares), *size[:2]))
            found[:, wanted.any(axis=1)] = halves(squares).sum(axis=0) / (2 * self.epsilon) ** 2
            total: Array = np.einsum("obs,bsp->obp", found, signs**2)
            return total / self.samples**2

        circuit = with_visible_parameters(batch.circuit)
        return _Work(circuit, circuit.parameters, rows, finish, spread)

    def _adjoint(self, batch: Batch) -> Array:
        states, program = None, self._program(batch.circuit)
        # where something is measured in the middle, Aer has the states of single outcomes
        if is_aer(self._estimator) and not program.measured:
            states = aer_states(self._estimator, batch.circuit, batch.values)
        device = getattr(self._estimator, "device", "cpu")
        sweep = AdjointSweep(program, batch.observables, device)
        return sweep.jacobian(batch.values, batch.wanted, states)

    def reseed(self, *seed: int) -> None:
        """Draw SPSA's directions from another seed from now on."""
        self._rng = np.random.default_rng(seed)

    @contextmanager
    def same_directions(self) -> Iterator[None]:
        """Inside the block SPSA draws the directions that it will draw again behind it."""
        before = deepcopy(self._rng)
        try:
            yield
        finally:
            self._rng = before

    def _make_caches(self) -> None:
        self._template: CircuitCache[ShiftTemplate] = CircuitCache(build_template)
        self._program: CircuitCache[Program] = CircuitCache(compile_circuit)
        self._compiled: CircuitCache[QuantumCircuit] = CircuitCache(self._transpile)

    def _transpile(self, circuit: QuantumCircuit) -> QuantumCircuit:
        return self._pass_manager.run(circuit)

    def __getstate__(self) -> dict[str, Any]:
        """What was built for circuits holds functions, and is built again on demand."""
        built = ("_template", "_program", "_compiled")
        return {name: value for name, value in self.__dict__.items() if name not in built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with empty caches."""
        self.__dict__.update(state)
        self._make_caches()


def _unique(circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
    return list({id(circuit): circuit for circuit in circuits}.values())


def _check_precision(precision: float | None) -> None:
    if precision is not None and not precision >= 0:
        raise InputError(f"precision must be None, 0 or positive, got {precision}")
