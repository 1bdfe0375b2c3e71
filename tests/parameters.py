"""Parameters of which some run by default and all in the long tests."""

import pytest


def first_by_default(*values, count=1):
    """The first ones as they are; the others carry the marker ``slow``."""
    others = (pytest.param(value, marks=pytest.mark.slow) for value in values[count:])
    return [*values[:count], *others]
