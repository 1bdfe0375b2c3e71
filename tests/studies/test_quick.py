from dataclasses import dataclass

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.quick import SMALLEST, check_numbers, fill, sized

LEAST = {"widths": 3, "seeds": 1, "rate": SMALLEST}
SIZES = {"widths": ((4, 8), (4,)), "seeds": (5, 2)}


@dataclass(frozen=True)
class Options:
    widths: tuple[int, ...] = ()
    seeds: int | None = None
    rate: float = 0.1
    steps: int | None = None
    more_seeds: int = 1
    quick: bool = False

    def __post_init__(self):
        fill(self, SIZES)


def test_what_is_not_given_has_the_size_that_was_asked_for():
    assert Options() == Options((4, 8), 5)
    assert (Options(quick=True).widths, Options(quick=True).seeds) == ((4,), 2)
    assert Options(seeds=5, quick=True).seeds == 5


def test_the_help_says_both():
    assert sized("Widths.", SIZES["widths"]) == "Widths. By default 4,8; with --quick 4."
    assert sized("Of.", (("a", "b"), 0.5)) == "Of. By default a; b; with --quick 0.5."


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"widths": (4, 4)}, "widths must be distinct and not empty"),
        ({"widths": (4, 2)}, "widths must be at least 3, got 4,2"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"seeds": float("nan")}, "seeds must be at least 1"),
        ({"seeds": 11}, "seeds must be at most 10, got 11"),
        ({"steps": 10**6 + 1}, "steps must be at most 1,000,000, got 1000001"),
        ({"steps": 3, "more_seeds": 1001}, "more_seeds must be at most 1,000, got 1001"),
        ({"widths": (4, 9)}, "widths must be at most 8, got 4,9"),
        ({"rate": 0.0}, "rate must be positive and finite, got 0"),
        ({"seeds": float("inf")}, "seeds must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(given, says):
    with pytest.raises(InputError, match=says):
        check_numbers(
            Options(**given),
            {"widths": 3, "seeds": 1, "rate": SMALLEST, "steps": 1, "more_seeds": 1},
            {"widths": 8, "seeds": 10},
        )
