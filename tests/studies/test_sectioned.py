import random
from dataclasses import dataclass

from qvlm_qiskit.studies.grid_study import Printed, run_study
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy


@dataclass(frozen=True)
class Options:
    sides: tuple[int, ...] = (6, 20)


@dataclass(frozen=True)
class Die:
    sides: int


class Dice(SectionedStudy[Options, Die]):
    """What dice show, once each."""

    name, options_type, intro = "dice", Options, "Dice < & >."

    def cells(self):
        return [Die(n) for n in self.options.sides]

    def compute(self, cell):
        return {"sides": cell.sides, "shown": random.Random(cell.sides).randint(1, cell.sides)}

    def summarise(self, rows):
        return {"most": max(row["shown"] for row in rows)}

    def sections(self, results):
        rows = [[str(row["sides"]), str(row["shown"])] for row in results["rows"]]
        table = Printed("every die", ("sides", ">shown"), rows)
        return [Section(table, "Once each.", "<svg id='own'></svg>")]


def test_page_and_terminal_show_the_same_sections(tmp_path):
    study = Dice(Options(), tmp_path / "dice")
    results = run_study(study)
    (table,) = study.printed(results)
    assert [row[0] for row in table.rows] == ["6", "20"]
    page = (tmp_path / "dice" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Every die</h2>" in page and "Once each." in page and "<svg id='own'>" in page
    assert "Dice &lt; &amp; &gt;." in page and "sides 6, 20" in page
    assert f'<td class="n">{table.rows[1][1]}</td>' in page
