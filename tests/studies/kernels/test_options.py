from dataclasses import replace

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parts": ()}, "parts must be distinct and not empty"),
        ({"qubits": (2, 2)}, "qubits must be distinct"),
        ({"qubits": (0,)}, r"qubits must be at least 1, got 0"),
        ({"samples": (10,)}, "samples must be at least 20, got 10"),
        ({"features": 13}, "features must be at most 12, got 13"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
    ],
)
def test_what_makes_no_study_is_refused(small, change, says):
    with pytest.raises(InputError, match=says):
        replace(small, **change)


def test_an_unknown_part_is_answered_with_the_nearest(small):
    with pytest.raises(UnknownNameError, match="did you mean 'graphs'"):
        replace(small, parts=("graph",))
