"""`Mitigator`: the common part of the estimators that mitigate, all but their mathematics."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.mitigation.step import Options
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.shots import precision_of_shots, shots_of_precision
from qvlm_qiskit.backends.pubs.stack import SharedByCopies
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MitigationError

Floats = NDArray[np.float64]
# How many circuits' calibrations are remembered.
MAX_MODELS = 256


class EstimatorWrapper(SharedByCopies, BaseEstimatorV2):
    """A wrapper around an ISA estimator that changes which circuits run.

    Attributes:
        inner: The estimator that it calls.
        plan_is_bound: True where the number of executions depends on measured values: `plan` then
            gives the most that can happen.
    """

    inner: BaseEstimatorV2
    plan_is_bound: ClassVar[bool] = False

    @abstractmethod
    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls of `inner.run` that these calls of `run` lead to, in order; nothing is run.

        Shapes, bases, two-qubit gates and precisions are those that will be run; where circuits or
        coefficients depend on measured values, any of the same shape will do. What the wrapper
        remembers from earlier runs (calibrations, learned models) is not planned again.

        Args:
            calls: Calls of this estimator, one after the other. They are read one at a time.

        Raises:
            MitigationError: What `run` would raise for such pubs.
        """

    def planned(self, calls: Iterable[Call], places: Any) -> Iterator[Call]:
        """`plan`, where rows on tiles are remembered somewhere else.

        Args:
            calls: Calls of this estimator.
            places: A memory of where rows run, see `compilation.row_places`; None: this stack's.
        """
        return self.plan(calls)

    @property
    def raw(self) -> BaseEstimatorV2:
        """This, or the next one that does not correct readout: `Call.raw` goes there."""
        return self

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """Factor on a value's standard error at equal shots; None where it is not known before.

        Args:
            pub: An ISA pub as `run` takes it.
        """
        return None


class PlacingWrapper(EstimatorWrapper):
    """A wrapper that lays rows onto places of the device; behind it each place is mitigated."""

    @abstractmethod
    def around(self, inner: BaseEstimatorV2) -> PlacingWrapper:
        """The same places of the same rows in front of another estimator."""


@dataclass(frozen=True)
class Training:
    """What a technique has to run and learn from before it can mitigate a pub.

    Attributes:
        key: Names what is learned; equal keys learn the same.
        pubs: What the inner estimator runs for it.
        learn: Turns their results into what `Expansion.combine` takes.
    """

    key: Hashable
    pubs: list[EstimatorPub]
    learn: Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Expansion:
    """What one pub becomes.

    Attributes:
        pubs: What the inner estimator runs for this pub.
        combine: Takes their results, what was learned (None without training), and the metadata
            of the training runs that were made for this pub (none when they were remembered), and
            gives the answer.
        training: What has to be learned before; None for techniques that learn nothing.
    """

    pubs: list[EstimatorPub]
    combine: Callable[[Sequence[Any], Any, Sequence[Any]], PubResult]
    training: Training | None = None


class Mitigator(EstimatorWrapper, Generic[Options]):
    """Expands ISA pubs into those that a technique needs and combines their results.

    All pubs of a call run in one inner job. Training circuits that are new run before in a job of
    their own; what was learned is remembered for later pubs of the same circuit.

    Args:
        inner: Runs ISA pubs.
        options: The technique with its parameters.
    """

    def __init__(self, inner: BaseEstimatorV2, options: Options) -> None:
        self.inner = inner
        self.options = options
        self._learned: OrderedDict[Hashable, Any] = OrderedDict()

    @abstractmethod
    def expand(self, pub: EstimatorPub) -> Expansion:
        """What `pub` becomes. Nothing runs; what can't be mitigated is refused here.

        Args:
            pub: A coerced ISA pub.

        Raises:
            MitigationError: The technique can't do this circuit, observable or noise.
        """

    def outline(self, pub: EstimatorPub) -> Expansion:
        """What `pub` becomes, for counting: its pubs and those of its training are looked at only.

        Where `expand` draws or computes numbers that change no count, a technique leaves them out
        here; shapes, bases, gates and precisions stay.

        Raises:
            MitigationError: What `expand` raises.
        """
        return self.expand(pub)

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Run the training that is new, then all pubs in one inner job.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            MitigationError: The technique can't do a circuit, observable or noise; nothing has
                run then.
        """
        expansions = [self.expand(EstimatorPub.coerce(pub, precision)) for pub in pubs]
        spent = self._train(expansions)
        # Held here, since what is learned in other calls may push it out before the result is in.
        models = [self._learned[e.training.key] if e.training else None for e in expansions]
        while len(self._learned) > MAX_MODELS:
            self._learned.popitem(last=False)

        def finish(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            answers = iter(result)
            combined = [
                e.combine([next(answers) for _ in e.pubs], model, spent.get(index, ()))
                for index, (e, model) in enumerate(zip(expansions, models, strict=True))
            ]
            return PrimitiveResult(combined, metadata=result.metadata)

        flat = [pub for expansion in expansions for pub in expansion.pubs]
        return MappedJob(self.inner.run(flat), finish)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The training that is new, then the expanded pubs."""
        known = set(self._learned)
        for call in calls:
            expansions = [self.outline(pub) for pub in call.pubs]
            training = []
            for expansion in expansions:
                if expansion.training is not None and expansion.training.key not in known:
                    known.add(expansion.training.key)
                    training += expansion.training.pubs
            if training:
                yield call.with_pubs(training, calibration=True)
            yield call.with_pubs([pub for expansion in expansions for pub in expansion.pubs])

    def _train(self, expansions: Sequence[Expansion]) -> dict[int, list[Any]]:
        """Run and learn what is new; the runs' metadata by the expansion that they were for."""
        new: dict[Hashable, tuple[int, Training]] = {}
        for index, expansion in enumerate(expansions):
            training = expansion.training
            if training is not None and training.key not in self._learned:
                new.setdefault(training.key, (index, training))
        if not new:
            return {}
        flat = [pub for _, training in new.values() for pub in training.pubs]
        answers = iter(self.inner.run(flat).result())
        spent: dict[int, list[Any]] = {}
        for key, (index, training) in new.items():
            runs = [next(answers) for _ in training.pubs]
            self._learned[key] = training.learn(runs)
            spent.setdefault(index, []).extend(run.metadata for run in runs)
        return spent


def answer(evs: Floats, stds: Floats, metadata: dict[str, Any]) -> PubResult:
    """A pub's result."""
    return PubResult(DataBin(evs=evs, stds=stds, shape=np.shape(evs)), metadata)


def values(runs: Sequence[Any]) -> tuple[Floats, Floats]:
    """Values and standard errors of pubs of equal shape, (len(runs), *shape) each."""
    evs = np.stack([np.asarray(run.data.evs, dtype=float) for run in runs])
    return evs, np.stack([np.asarray(run.data.stds, dtype=float) for run in runs])


def replaced(pub: EstimatorPub, observables: ObservablesArray) -> EstimatorPub:
    """The pub with other observables of the same shape."""
    return EstimatorPub(
        pub.circuit, observables, pub.parameter_values, pub.precision, validate=False
    )


def shots_asked(pub: EstimatorPub, technique: str) -> int | None:
    """The shots per circuit that the pub's precision means; None for precision 0, exact values.

    Raises:
        MitigationError: The pub has no precision.
    """
    if pub.precision is None:
        raise MitigationError(f"{technique} mitigation needs shots or a precision")
    return None if pub.precision == 0 else shots_of_precision(float(pub.precision))


def precision_for(shots: int | None) -> float:
    """The precision that means so many shots; 0 for None."""
    return 0.0 if shots is None else precision_of_shots(shots)
