from qvlm_qiskit.studies.noise.printed import flips_text, kinds_table, points_table
from qvlm_qiskit.studies.noise.summary import summarise
from tests.studies.noise.test_summary import seen

ROWS = [
    seen("1111", 0.0), seen("1000", 1.0), seen("1100", 1.0, "readout"), seen("1111", None),
    seen("1000", 1.0, device="noisy:fake_lima"),
]  # fmt: skip


def test_columns_are_those_of_which_there_are_several_values():
    results = summarise(ROWS)
    table = points_table(results, "s")
    assert list(table.columns[:4]) == ["model", "device", "errors", "mitigation"]
    assert "noisy:fake_manila, noisy:fake_lima" in table.title
    lines = {tuple(row[1:5]): row for row in table.rows}
    assert lines["fake_manila", "all", "none", "1"][-2] == "3, 0 of 4"
    assert lines["statevector", "–", "–", "–"][-2] == "–"
    plain = points_table(summarise(ROWS[:2]), "s")
    assert list(plain.columns[:2]) == ["model", "mitigation"]


def test_kinds_have_their_changes_from_none_and_from_all():
    table = kinds_table(summarise(ROWS)["kinds"])
    assert [row[1] for row in table.rows] == ["all", "readout"]
    assert table.rows[0][-1] == "–" and table.rows[0][-2].startswith("-75.0")
    assert table.rows[1][-1].startswith("+25.0")


def test_flips_that_are_not_known_are_a_dash():
    assert flips_text(None) == "–"
