from dataclasses import dataclass

import pytest

from qvlm_qiskit.basics.option_texts import read_options, read_values
from qvlm_qiskit.errors import InputError


@dataclass(frozen=True)
class Options:
    size: int = 3
    rate: float = 0.5
    name: str = "a"
    deep: bool = False
    limit: int | None = 4
    sizes: tuple[int, ...] = ()

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size is at least 1, got {self.size}")


def test_texts_become_what_the_fields_are():
    texts = {"size": "7", "rate": "1e-3", "name": "b,c", "deep": "Yes", "limit": "none"}
    assert read_options(Options, texts, "m") == Options(7, 1e-3, "b,c", True, None)
    assert read_options(Options, {"limit": "9"}, "m").limit == 9


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"sise": "1"}, "unknown option of m 'sise': did you mean 'size'"),
        ({"size": "many"}, r"m: size is a number \(int\), not 'many'"),
        ({"deep": "maybe"}, "m: deep is yes or no, not 'maybe'"),
        ({"sizes": "1"}, "m: sizes is a tuple.*which no text can say"),
        ({"size": "0"}, "m: size is at least 1, got 0"),
    ],
)
def test_what_is_no_option_is_refused_in_one_line(texts, says):
    with pytest.raises(InputError, match=says):
        read_options(Options, texts, "m")


def test_values_are_typed_before_an_object_is_made_of_them():
    """Others may come from elsewhere: only together they have to fit."""
    assert read_values(Options, {"size": "0", "deep": "no"}, "m") == {"size": 0, "deep": False}
    with pytest.raises(InputError, match="unknown option of m 'deap': did you mean 'deep'"):
        read_values(Options, {"deap": "no"}, "m")
