import re

import pytest


@pytest.mark.slow
def test_the_report_says_what_was_seen_and_what_was_not(study):
    _, out, results = study
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 3
    assert not re.search(r'(?:src|href)="(?!#)', page)  # nothing is loaded from elsewhere
    for point in results["points"]:
        assert point["kind"] in page
    assert "no difference seen" in page or "worse" in page or "better" in page
