"""`Packed`: in front of a device, pubs on disjoint qubits run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.fractional import legal_angles
from qvlm_qiskit.backends.compilation.spread import spread_over
from qvlm_qiskit.backends.compilation.tiles import around, coupled
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, mitigation_wrappers
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.gathered import gathered
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.packing import Bundle, bundles, merged, shares
from qvlm_qiskit.backends.pubs.stack import SharedByCopies
from qvlm_qiskit.backends.pubs.strands import Strand, strands, woven
from qvlm_qiskit.backends.pubs.work import StatesWork, Work
from qvlm_qiskit.errors import InputError

Wrapper = Callable[[BaseEstimatorV2], BaseEstimatorV2]


class Packed(SharedByCopies, BaseEstimatorV2):
    """Merges pubs whose circuits act on disjoint qubits, and takes the answers apart.

    Args:
        device: Runs ISA pubs, and says what it would run.
        reach: For every qubit, those that no other circuit of an execution may use.
    """

    def __init__(self, device: Any, reach: Mapping[int, frozenset[int]]) -> None:
        self.inner = device
        self.reach = reach

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Run the pubs in as few executions as their qubits allow, as one call of the device.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            QVLMError: What the device raises.
        """
        default = getattr(self.inner, "default_precision", None) if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, default) for pub in pubs]
        packed = _Packing.of(coerced, self.reach)

        def apart(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            return PrimitiveResult(packed.apart(list(result)), metadata=result.metadata)

        return MappedJob(self.inner.run(packed.sent), apart)

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """What the device would execute for the merged pubs."""
        device: StatesWork = self.inner
        return device.jobs(self.sent(pubs))

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """The device's: what runs beside a circuit changes no error of its values."""
        device: StatesWork = self.inner
        return device.error_gain(pub)

    def sent(self, pubs: Sequence[EstimatorPub]) -> list[EstimatorPub]:
        """What the device gets for some pubs."""
        return _Packing.of(pubs, self.reach).sent

    def bundles(self, pubs: Sequence[EstimatorPub]) -> list[Bundle]:
        """Which pubs of the shape (observables, rows) run side by side."""
        return bundles(pubs, self.reach)


def packed(
    device: BaseEstimatorV2, target: Target, options: BackendOptions, *, crosstalk: bool = False
) -> BaseEstimatorV2:
    """The device, with `Packed` in front of it where rows run on tiles.

    Args:
        device: Runs ISA pubs.
        target: Its connections.
        options: With the tiles that were asked for.
        crosstalk: Whether circuits on coupled qubits are known to disturb each other.

    Raises:
        InputError: Tiles of a device without connections.
    """
    rule = options.tile_rule.under(crosstalk=crosstalk)
    if rule.count == "none":
        return device
    neighbours = coupled(target)
    if not neighbours:
        raise InputError(
            "tiles are places of a device, and this noise has no couplers: take noisy:<device>"
        )
    reach = {q: around([q], neighbours, rule.distance) for q in neighbours}
    return Packed(device, reach)


def wrappers_for(
    device: MitigatedDevice, options: BackendOptions, *, crosstalk: bool = False
) -> tuple[Wrapper, ...]:
    """What stands in front of a device that is `packed`, the innermost first.

    Mitigation works on each tile, but for what chooses for all of them.

    Args:
        device: What techniques have to know about it.
        options: With the mitigation and the tiles that were asked for.
        crosstalk: Whether circuits on coupled qubits are known to disturb each other.

    Raises:
        MissingDependencyError: A technique needs a package that is not installed.
        MitigationError: A technique can't work there.
    """
    steps, rule = options.steps, options.tile_rule.under(crosstalk=crosstalk)
    mitigation = mitigation_wrappers(steps, device)
    inner = legal_angles(options)
    if rule.count == "none":
        return (*inner, *mitigation)
    spread = spread_over(device.target, rule)
    if any(step.over_tiles for step in steps):
        return (*inner, spread, *mitigation)
    return (*inner, *mitigation, spread)


def offered_with(mitigations: Iterable[str], options: BackendOptions) -> tuple[str, ...]:
    """What a machine offers; with fractional gates all but what needs gates of a fixed angle."""
    if not options.fractional:
        return tuple(mitigations)
    return tuple(n for n in mitigations if all(step.fractional for step in parse_mitigation(n)))


def tile_settings(options: BackendOptions, *, crosstalk: bool = False) -> dict[str, Any]:
    """What the device's raw results depend on: whether others run beside them, and how near."""
    rule = options.tile_rule.under(crosstalk=crosstalk)
    return {} if rule.count == "none" else {"packed": {"spacing": rule.distance}}


def tile_notes(options: BackendOptions, *, crosstalk: bool) -> tuple[str, ...]:
    """A sentence where tiles are further apart than was asked for."""
    rule = options.tile_rule.under(crosstalk=crosstalk)
    if rule.count == "none" or rule.distance == rule.spacing:
        return ()
    return (
        f"keeps tiles {rule.distance} idle qubit apart instead of {rule.spacing}: this noise has "
        "crosstalk between coupled qubits",
    )


class _Packing:
    """Pubs, their strands, and which of these run side by side."""

    def __init__(
        self,
        pubs: Sequence[EstimatorPub],
        owners: Sequence[tuple[int, Strand]],
        parts: Sequence[EstimatorPub],
        groups: Sequence[Bundle],
    ) -> None:
        self.pubs = pubs
        self.owners = owners
        self.parts = parts
        self.groups = groups
        self.sent = [merged([parts[i] for i in group]) for group in groups]

    @classmethod
    def of(cls, pubs: Sequence[EstimatorPub], reach: Mapping[int, frozenset[int]]) -> _Packing:
        owners = [(number, strand) for number, pub in enumerate(pubs) for strand in strands(pub)]
        parts = [strand.pub(pubs[number]) for number, strand in owners]
        return cls(pubs, owners, parts, bundles(parts, reach))

    def apart(self, answers: Sequence[Any]) -> list[PubResult]:
        """The pubs' answers from those of what was sent."""
        found: dict[int, Any] = {}
        for group, answer in zip(self.groups, answers, strict=True):
            members = [self.parts[i] for i in group]
            own = shares(members, answer.data.evs, answer.data.stds, answer.metadata)
            found.update(zip(group, own, strict=True))
        results = []
        for number, pub in enumerate(self.pubs):
            mine = [i for i, (owner, _) in enumerate(self.owners) if owner == number]
            woven_values = [(self.owners[i][1], found[i].evs, found[i].stds) for i in mine]
            evs, stds = woven(pub, woven_values)
            about = gathered([found[i].metadata for i in mine])
            results.append(PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), about))
        return results
