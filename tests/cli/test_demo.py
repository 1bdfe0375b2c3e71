import json

import pytest

from tests.cli.tables import cells, widest


@pytest.mark.slow
def test_the_demo_of_the_command_line(qvlm, place, device="fake_belem"):
    """The small recipe and all of its training data: the sizes that have options are small."""
    words = ("--steps", "2", "--test-samples", "6", "--noisy-samples", "3")
    words += ("--runtime-samples", "2", "--device", device, "--shots", "50")
    found = qvlm("demo", "--out", "new", *words, "--mitigation", "readout", "--seed", "1")
    assert found.status == 0, found.err
    assert widest(found.out) <= 80
    assert [row[1].partition("/")[2] for row in cells(found.out)] == ["6", "6", "6", "3", "3", "2"]
    assert "new/report.html" in found.err
    results = json.loads((place / "new" / "results.json").read_text(encoding="utf-8"))
    assert results["options"]["training"]["seed"] == 1
    assert results["options"]["device"] == device
    assert (place / "new" / "report.html").is_file()
    assert json.loads(qvlm("evaluate", "new", "--limit", "2", "--json").out)["total"] == 2
    words = ("--backend", f"noisy:{device}", "--strengths", "0", "--limit", "2", "--rows", "2")
    studied = qvlm("study", "noise", "new", "--out", "grid", *words)
    assert studied.status == 0, studied.err
    assert "grid/report.html, new/report.html" in " ".join(studied.err.split())
    assert "Study of noise" in (place / "new" / "report.html").read_text(encoding="utf-8")
