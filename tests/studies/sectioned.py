"""What every study in sections is held to."""


def check_report(study, results):
    """Page and terminal show the same numbers, the terminal in 80 columns."""
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    for section in study.sections(results):
        table = section.table
        assert table.rows, table.title
        cells = [table.columns, *table.rows]
        assert all(len(row) == len(table.columns) for row in table.rows)
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80, table.title
        assert len(table.title) <= 80
        assert all(text.replace("&", "&amp;") in page for text in table.rows[0])
