"""Whether a program's result has as many circuits and shots as were asked for.

The client computes with what it finds: half of the shots give other values, which are stated as
those of all, and what is too much is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_REGISTERS = ("_meas", "_trex_cal")


class _Item(NamedTuple):
    """What is asked of one item, whose measurements are (*factors, randomizations, *circuits, …).

    Attributes:
        factors: Number of noise factors, where they are in one item.
        circuits: Number of circuits; empty in a calibration.
    """

    factors: list[int]
    circuits: list[int]


def check_shapes(content: Any) -> None:
    """Refuse a result of the client-side estimator that is not of the shape that was asked for.

    Args:
        content: The result's JSON, in which the service repeats what the client asked.

    Raises:
        ValueError: More or fewer items, circuits in one, or shots.
        KeyError: It does not say what was asked.
    """
    passed, items = content["passthrough_data"], content["data"]
    asked = _asked(passed["qiskit_mitigation"])
    if len(items) != len(asked):
        raise ValueError(f"{len(items)} items for {len(asked)} that were asked for")
    for item, wanted in zip(items, asked, strict=True):
        shape = _shape(item)
        factors, (randomizations, *circuits, shots, _) = (
            shape[: len(wanted.factors)],
            shape[len(wanted.factors) :],
        )
        if (factors, circuits) != wanted:
            raise ValueError(f"measurements of the shape {shape} for {wanted.circuits} circuits")
        if circuits and not _are_asked(randomizations, shots, passed["post_processor"]):
            raise ValueError(f"{randomizations} times {shots} shots, which were not asked for")


def _asked(tasks: Sequence[Mapping[str, Any]]) -> list[_Item]:
    """What is asked of every item, in their order."""
    found: list[_Item] = []
    for task in sorted(tasks, key=lambda task: int(task["program_item_index"])):
        kind = task["mitigation"]
        circuits = [] if kind == "trex" else [len(task["param_basis_pairs"])]
        factors = [len(task["noise_factors"])] if kind in ("gate_folding", "pea") else []
        if kind == "gate_folding":  # an item for each factor
            found += [_Item([], circuits)] * factors[0]
        else:
            found.append(_Item(factors, circuits))
    return found


def _shape(item: Mapping[str, Any]) -> list[int]:
    """Of what was measured."""
    (name,) = [name for name in _REGISTERS if name in item["results"]]
    return list(item["results"][name]["shape"])


def _are_asked(randomizations: int, shots: int, asked: Mapping[str, Any]) -> bool:
    """Whether these are the shots, but for what is rounded up to whole randomizations."""
    options, wanted = asked["options"], int(asked["shots"])
    total, twirling = randomizations * shots, options["twirling"]
    if options["resilience"]["pec_mitigation"]:
        return total >= wanted  # as many times as its overhead says
    if not (twirling["enable_gates"] or twirling["enable_measure"]):
        return (randomizations, shots) == (1, wanted)
    stated = twirling["num_randomizations"], twirling["shots_per_randomization"]
    if "auto" not in stated:
        return (randomizations, shots) == stated
    as_stated = stated[0] in ("auto", randomizations) and stated[1] in ("auto", shots)
    return as_stated and 0 <= total - wanted < (shots if stated[0] == "auto" else randomizations)
