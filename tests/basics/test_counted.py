from qvlm_qiskit.basics.counted import counted


def test_one_is_not_several():
    found = [counted(number, "row") for number in (0, 1, 2, 8000)]
    assert found == ["0 rows", "1 row", "2 rows", "8,000 rows"]
