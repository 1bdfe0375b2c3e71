"""No study has a size without a limit: it would run for ever, or out of memory."""

import dataclasses
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.registry import STUDIES, find_study

HUGE = 99_999_999
RUNS = {"drift": {"runs": (Path("run"),)}, "noise": {"runs": (Path("run"),)}}
WHOLE = {int: HUGE, int | None: HUGE, tuple[int, ...]: (HUGE,)}
SAYS = {"layers": "layers|repetitions", "circuits": "circuits"}
BEYOND = {("optimisers", "circuits"): 10**10}
"""What as many as `HUGE` of are a matter of days."""


def refused(kind, options):
    """Whether they are, by their name."""
    (option,) = options.keys() - {"runs"}
    try:
        kind(**options)
    except InputError as error:
        return re.search(SAYS.get(option, option), str(error)) is not None
    return False


@pytest.mark.parametrize("name", STUDIES.own)
def test_a_size_that_is_a_slip_of_the_hand_is_refused(name):
    kind = find_study(name).options_type
    hints = get_type_hints(kind)
    sizes = [one.name for one in dataclasses.fields(kind) if hints[one.name] in WHOLE]
    assert sizes
    passed = []
    for option in sizes:
        huge = BEYOND.get((name, option), WHOLE[hints[option]])
        if not refused(kind, {**RUNS.get(name, {}), option: huge}):
            passed.append(option)
    assert passed == []


@pytest.mark.parametrize("name", STUDIES.own)
def test_a_study_has_a_thousand_seeds_at_most(name):
    kind = find_study(name).options_type
    given = RUNS.get(name, {})
    for one in dataclasses.fields(kind):
        if one.name.endswith("seeds") and isinstance(one.default, int):
            assert getattr(kind(**given, **{one.name: 1000}), one.name) == 1000
            with pytest.raises(InputError, match=f"^{one.name} must be at most 1,000, got 1001$"):
                kind(**given, **{one.name: 1001})
