"""Choose the mitigation by trying it on circuits whose exact values are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.mitigator import (
    EstimatorWrapper,
    Floats,
    PlacingWrapper,
    shots_asked,
)
from qvlm_qiskit.backends.mitigation.names import mitigation_name, offered, parse_mitigation
from qvlm_qiskit.backends.mitigation.near_clifford import NearClifford, TrainingSet, training_key
from qvlm_qiskit.backends.mitigation.report import cost_of
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.mitigation.trials import Choice, Trial, best_of, reported
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MissingDependencyError, MitigationError

if TYPE_CHECKING:
    from qvlm_qiskit.backends.mitigation.step import Wrapper


@technique()
class Auto(Step):
    """The technique that is best on calibration circuits, within a budget.

    Attributes:
        budget: Executions that choosing may take, per circuit and set of observables.
        circuits: Calibration circuits: near-Clifford versions of the circuit that will run.
        keep: Probability that a calibration circuit keeps an angle of the circuit itself.
        techniques: Candidates; empty for all that the backend offers.
    """

    name = "auto"
    fractional = False
    alone = True
    over_tiles = True
    budget: int = 1_000_000
    circuits: int = 8
    keep: float = 0.75
    techniques: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.whole("budget", 1, 10**15)
        self.whole("circuits", 2)
        self.fraction("keep")
        names = tuple(mitigation_name(parse_mitigation(text)) for text in self.techniques)
        object.__setattr__(self, "techniques", names)
        if len(set(names)) != len(names):
            self.refuse("techniques", "a candidate is named twice")
        if any(isinstance(step, Auto) for text in names for step in parse_mitigation(text)):
            self.refuse("techniques", "auto can't choose itself")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"mitigated by what did best on {self.circuits} calibration circuits"

    @property
    def choices(self) -> tuple[str, ...]:
        """Its candidates, where it was told which."""
        return self.techniques

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> AutoMitigated:
        """`AutoMitigated` with these parameters, or the candidates of the device's family."""
        candidates = self.techniques or offered(device.family).candidates
        return AutoMitigated(
            inner, lambda step: step.wrapper(device), candidates, self, device.seed
        )


class AutoMitigated(EstimatorWrapper):
    """Runs every pub with the mitigation that did best on near-Clifford versions of its circuit.

    Before the first pub of a circuit (with its observables and precision), every candidate that
    the budget pays for, the cheapest first, runs the same calibration circuits, whose exact values
    this package's engine knows. They are angle settings of the very ISA circuit that will run, on
    its qubits and with its gates. Of the candidates whose mean absolute error is within two
    standard errors of the lowest, circuit by circuit, the one is taken with which the circuit
    itself takes the fewest executions, what is learned once not counted; so where nothing clearly
    helps, that is "none".

    Calibration circuits are random ones beside those that "cdr" and "learned-zne" train on, but
    of the same kind: these two may do a little worse on other angles than the table says.

    On tiles it chooses once for all of them: each calibration circuit lies on one tile, as rows do,
    so that they run side by side on as many of the best ones.

    Args:
        inner: Runs ISA pubs; where it lays rows onto tiles, mitigations work behind that.
        wrap: Gives the wrapper of a technique; None for one that the device applies itself.
        candidates: Names of mitigations.
        options: Budget, number of circuits, probability that an angle stays.
        seed: Of the calibration circuits; None counts as 0.

    Attributes:
        tiles: What lays rows onto tiles, in front of each candidate; None where nothing does.
    """

    plan_is_bound = True

    def __init__(
        self,
        inner: BaseEstimatorV2,
        wrap: Callable[[Step], Wrapper | None],
        candidates: Sequence[str],
        options: Auto | None = None,
        seed: int | None = None,
    ) -> None:
        self.tiles = inner if isinstance(inner, PlacingWrapper) else None
        self.inner = inner if self.tiles is None else self.tiles.inner
        self.options = options or Auto()
        self.candidates = tuple(candidates)
        self.seed = seed or 0
        self._wrap = wrap
        self._behind: dict[str, BaseEstimatorV2] = {"": self.inner, "none": self.inner}
        self._stacks: dict[str, BaseEstimatorV2] = {}
        self._choices: dict[Any, Choice] = {}

    @property
    def choices(self) -> list[Choice]:
        """What was chosen so far, in the order of the circuits."""
        return list(self._choices.values())

    def describe(self) -> list[dict[str, Any]]:
        """The choices so far as JSON-able data."""
        return [choice.report() for choice in self.choices]

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Choose for what is new, then run every pub with its mitigation.

        Args:
            pubs: ISA pubs.
            precision: For pubs that name none.

        Raises:
            MitigationError: The circuit can't be varied or simulated exactly, or the budget
                doesn't pay for any candidate.
        """
        prepared = [self._prepared(EstimatorPub.coerce(pub, precision)) for pub in pubs]
        paid = {key: key not in self._choices for key, _ in prepared}
        for key, pub in prepared:
            if key not in self._choices:
                self._choices[key] = self._choose(pub)
        answers: dict[int, PubResult] = {}
        chosen = [self._choices[key].mitigation for key, _ in prepared]
        for name in dict.fromkeys(chosen):
            members = [index for index, other in enumerate(chosen) if other == name]
            job = self._stack(name).run([prepared[index][1] for index in members])
            answers.update(zip(members, job.result(), strict=True))
        results = []
        for index, (key, _) in enumerate(prepared):
            results.append(reported(answers[index], self._choices[key], paid.pop(key, False)))
        return FinishedJob(PrimitiveResult(results, metadata={"version": 2}))

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The chosen mitigation's calls; before the choice, all trials and the costliest one."""
        return self.planned(calls, None)

    def planned(self, calls: Iterable[Call], places: Any) -> Iterator[Call]:
        """`plan`, where rows on tiles are remembered somewhere else."""
        known = {key: choice.mitigation for key, choice in self._choices.items()}
        for call in calls:
            for pub in call.pubs:
                key, prepared = self._prepared(pub)
                if key not in known:
                    calibration = self._calibration(prepared).pub(prepared.precision)
                    order = self._order(prepared, calibration)
                    affordable = [trial for trial, _ in order if not trial.note]
                    trials = call.with_pubs([calibration], calibration=True)
                    for trial in affordable:
                        yield from self._planned(trial.mitigation, trials, places)
                    known[key] = max(
                        (trial.mitigation for trial in affordable),
                        key=lambda name: cost_of(self._stack(name), prepared).executions,
                    )
                yield from self._planned(known[key], call.with_pubs([prepared]), places)

    def _planned(self, name: str, call: Call, places: Any) -> Iterator[Call]:
        calls: Iterable[Call] = [call]
        for layer in takewhile(lambda one: one is not self.inner, stack_of(self._stack(name))):
            if isinstance(layer, EstimatorWrapper):
                calls = layer.planned(calls, places)
        yield from calls

    def _prepared(self, pub: EstimatorPub) -> tuple[Any, EstimatorPub]:
        """The pub on the template that its calibration circuits share, and the choice's key."""
        shots_asked(pub, "auto")
        template = AngleTemplate.of(pub.circuit, "auto")
        angles = template.bindings(template.angles(pub.parameter_values))
        prepared = EstimatorPub(
            template.circuit, pub.observables, angles, pub.precision, validate=False
        )
        # Fixed angles are part of the circuit: the source's digest, not the template's.
        return training_key(pub), prepared

    def _stack(self, name: str) -> BaseEstimatorV2:
        """The estimator of a mitigation, on tiles where there are some."""
        if name not in self._stacks:
            mitigated = self._mitigated(name)
            self._stacks[name] = mitigated if self.tiles is None else self.tiles.around(mitigated)
        return self._stacks[name]

    def _mitigated(self, name: str) -> BaseEstimatorV2:
        """It without tiles; those that begin alike share their inner wrappers."""
        if name not in self._behind:
            *before, last = parse_mitigation(name)
            inner = self._mitigated(mitigation_name(before))
            wrapper = self._wrap(last)
            self._behind[name] = inner if wrapper is None else wrapper(inner)
        return self._behind[name]

    def _calibration(self, pub: EstimatorPub) -> TrainingSet:
        draw = NearClifford("auto", self.options.circuits, self.options.keep)
        return draw.seeded(pub, self.seed, salt="auto")

    def _order(
        self, pub: EstimatorPub, calibration: EstimatorPub
    ) -> list[tuple[Trial, BaseEstimatorV2 | None]]:
        """The candidates, the cheapest first, with a note where one can't be tried.

        What one candidate has learned the next may use, so later trials cost at most what is
        counted here.
        """
        possible, refused = [], []
        for name in self.candidates:
            try:
                stack = self._stack(name)
                # Counted on the pub first, so that what is learned is learned for its angles.
                per_run = cost_of(stack, pub).executions
                possible.append((cost_of(stack, calibration).all_executions, name, stack, per_run))
            except (MitigationError, MissingDependencyError) as ex:
                refused.append((Trial(name, None, None, 0, str(ex)), None))
        if not possible:
            reasons = "; ".join(f"{trial.mitigation}: {trial.note}" for trial, _ in refused)
            raise MitigationError(f"auto: no mitigation can be tried: {reasons}")
        left = self.options.budget
        ordered: list[tuple[Trial, BaseEstimatorV2 | None]] = []
        for cost, name, stack, per_run in sorted(possible, key=lambda item: item[0]):
            note = "" if cost <= left else f"{cost:,} executions, {left:,} left of the budget"
            left -= 0 if note else cost
            ordered.append((Trial(name, None, None, cost, note, per_run), stack))
        if all(trial.note for trial, _ in ordered):
            needed = min(trial.executions for trial, _ in ordered)
            raise MitigationError(
                f"auto: no mitigation can be tried within budget={self.options.budget:,} "
                f"executions (the cheapest needs {needed:,})"
            )
        return [*ordered, *refused]

    def _choose(self, pub: EstimatorPub) -> Choice:
        known = self._calibration(pub)
        calibration = known.pub(pub.precision)
        trials: list[Trial] = []
        errors: dict[str, Floats] = {}
        spent = 0
        for trial, stack in self._order(pub, calibration):
            if trial.note or stack is None:
                trials.append(trial)
                continue
            cost = cost_of(stack, calibration).all_executions
            found = stack.run([calibration]).result()[0].data.evs
            spent += cost
            by_circuit = np.abs(np.asarray(found, dtype=float) - known.exact).mean(axis=0)
            errors[trial.mitigation] = by_circuit
            spread = float(by_circuit.std(ddof=1)) / math.sqrt(len(by_circuit))
            mean = float(by_circuit.mean())
            trials.append(replace(trial, error=mean, standard_error=spread, executions=cost))
        name, why = best_of(errors, {trial.mitigation: trial.per_run for trial in trials})
        return Choice(
            mitigation=name,
            why=why,
            budget=self.options.budget,
            executions=spent,
            circuits=self.options.circuits,
            observables=known.observables.size,
            trials=tuple(trials),
            circuit=pub.circuit.name,
        )
