"""Lists of options: none empty, no value twice."""

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_distinct


@pytest.mark.parametrize("values", [(), (1, 1), ("a", "b", "a")])
def test_what_is_empty_or_repeated_is_refused(values):
    with pytest.raises(InputError, match=r"^seeds must be distinct and not empty, got "):
        check_distinct("seeds", values)


def test_what_is_distinct_is_taken():
    check_distinct("seeds", (0, 1))
