"""How large what others have sent may be."""

import pytest

from qvlm_qiskit.basics.sizes import TooLargeError, check_size, most_bytes
from qvlm_qiskit.errors import InputError


def test_the_limit_is_a_gibibyte_or_what_the_variable_says(monkeypatch):
    monkeypatch.delenv("QVLM_MOST_MIB", raising=False)
    assert most_bytes() == 2**30
    monkeypatch.setenv("QVLM_MOST_MIB", "2")
    check_size("it", 2**21)
    with pytest.raises(TooLargeError, match="it has 3 MiB, more than the 2 that are read"):
        check_size("it", 3 * 2**20)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "much", "²"])
def test_a_limit_that_is_none_is_refused(text, monkeypatch):
    monkeypatch.setenv("QVLM_MOST_MIB", text)
    with pytest.raises(InputError, match="whole number"):
        most_bytes()
