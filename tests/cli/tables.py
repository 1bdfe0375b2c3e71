"""What several commands' tests ask for, and printed tables read back."""


def widest(text):
    return max(map(len, text.splitlines()))


def cells(text):
    """Rows of a printed table, joined over their continuation lines by the first column."""
    rows = []
    for line in text.splitlines():
        if line.startswith("│"):
            row = [cell.strip() for cell in line.strip("│").split("│")]
            if row[0] or not rows:
                rows.append(row)
            else:
                rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], row, strict=True)]
    return rows
