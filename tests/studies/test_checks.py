"""Options of studies: of their fields' types, no list empty, no value twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest

from qvlm_qiskit.errors import InputError, QVLMError
from qvlm_qiskit.studies import DemoOptions, Execution, NoiseSweep
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.registry import STUDIES


@pytest.mark.parametrize("values", [(), (1, 1), ("a", "b", "a")])
def test_what_is_empty_or_repeated_is_refused(values):
    with pytest.raises(InputError, match=r"^seeds must be distinct and not empty, got "):
        check_distinct("seeds", values)


def test_what_is_distinct_is_taken():
    check_distinct("seeds", (0, 1))


@dataclass(frozen=True)
class Options:
    seeds: Annotated[int, "how many"] = 3
    rate: float = 0.1
    steps: tuple[int, ...] | None = None
    scales: Sequence[float] = (1.0,)
    kind: Literal["plain", "frozen"] = "plain"
    text: Path | None = None
    runs: tuple[Path, ...] = ()
    quick: bool = False
    track: Callable[[int], None] = print


def test_numpys_numbers_and_lists_become_pythons_own():
    options = Options(np.int64(2), np.float32(0.1), [np.int8(1)], np.array([1.0, 2.0]))
    check_types(options)
    assert options == Options(2, 0.1, (1,), (1.0, 2.0))
    assert type(options.seeds) is int
    named = Options(text="a.txt", runs=["b", Path("c")])
    check_types(named)
    assert (named.text, named.runs) == (Path("a.txt"), (Path("b"), Path("c")))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seeds": "a"}, "seeds must be a whole number, got 'a'"),
        ({"seeds": 1.5}, "seeds must be a whole number, got 1.5"),
        ({"seeds": True}, "seeds must be a whole number, got True"),
        ({"seeds": 2**63}, "seeds must be a whole number, got 9223372036854775808"),
        ({"rate": 1j}, "rate must be a number, got 1j"),
        ({"rate": 10**400}, "rate must be a number, got 1000"),
        (
            {"steps": (1, "b")},
            r"steps must be several, each a whole number or None, got \(1,",
        ),
        ({"scales": np.zeros((2, 2))}, r"scales must be several, each a number, got array\("),
        ({"kind": "other"}, "kind must be one of plain, frozen, got 'other'"),
        ({"text": 3}, "text must be a path or None, got 3"),
        ({"quick": 1}, "quick must be True or False, got 1"),
        ({"track": 1}, "track must be a function, got 1"),
    ],
)
def test_another_type_is_refused(given, says):
    with pytest.raises(InputError, match=says):
        check_types(Options(**given))


WRONG = [None, True, "a", np.nan, 10**400, 10**5000, 1j, object(), {}, np.zeros((2, 2)), (), [{}]]
NEEDED = {"runs": (Path("run"),), "backend": "noisy:fake_manila"}


@pytest.mark.parametrize("name", [*sorted(STUDIES.own), DemoOptions, Execution, NoiseSweep])
def test_whatever_a_study_is_given_is_taken_or_refused_in_one_short_line(name):
    kind = STUDIES.load(name).options_type if isinstance(name, str) else name
    usual = {one.name: NEEDED[one.name] for one in fields(kind) if one.name in NEEDED}
    for field in fields(kind):
        for wrong in WRONG:
            try:
                kind(**{**usual, field.name: wrong})
            except QVLMError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 500
            else:
                assert not isinstance(wrong, complex | dict), (field.name, wrong)
