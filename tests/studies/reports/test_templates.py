import copy

import pytest
from jinja2 import UndefinedError

from tests.studies.reports.page import FORBIDDEN, Page

EVIL = "</svg><script>"


def test_everything_that_comes_from_outside_is_escaped(render, results):
    changed = copy.deepcopy(results)
    changed["options"]["device"] = changed["options"]["mitigation"] = EVIL
    changed["runtime"]["backend"]["mitigation"] = EVIL
    changed["versions"][EVIL] = EVIL
    changed["machine"] = {"system": EVIL, "python": EVIL}
    for example in changed["examples"]:
        example |= {"question": EVIL, "expected": EVIL, "answers": {EVIL: EVIL}}
    for asked in changed["questions"]:
        asked |= {"question": EVIL, "expected": EVIL, "answers": {EVIL: EVIL, "exact": EVIL}}
    for circuit in changed["circuits"]:
        circuit["block"] = EVIL
    for stage in (*changed["noisy"].values(), *changed["noise_sweep"]):
        for error in stage["expectations"]:
            error["block"] = EVIL
    page = Page(render(changed))
    assert not FORBIDDEN & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(v.startswith("data:") for t, n, v in page.attributes if (t, n) == ("img", "src"))
    assert EVIL in "".join(page.text)


def test_a_number_that_is_missing_is_an_error_and_no_hole(render, results):
    changed = copy.deepcopy(results)
    del changed["runtime"]["seconds"]
    with pytest.raises(UndefinedError, match="seconds"):
        render(changed)
