"""Numbers of things in words."""


def counted(number: int, thing: str) -> str:
    """How many there are: "1 seed", "8,000 seeds".

    Args:
        number: Of them.
        thing: What one of them is called; several have an s behind it.
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
