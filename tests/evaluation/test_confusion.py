from qvlm_qiskit.evaluation.confusion import OTHERS, Answered, confusions


def asked(kind, pairs):
    return [Answered(kind, expected, given, expected == given) for expected, given in pairs]


def test_rows_are_expected_answers_and_columns_what_was_said():
    (found,) = confusions(asked("which", [("a", "a"), ("a", "b"), ("b", "b"), ("b", "c")]))
    assert (found.expected, found.given) == (("a", "b"), ("a", "b", OTHERS))
    assert found.counts == ((1, 1, 0), (0, 1, 1))


def test_an_answer_that_is_accepted_counts_as_the_expected_one():
    said = [Answered("which", "apple", "Apple", True), *asked("which", [("pear", "pear")] * 3)]
    (found,) = confusions(said)
    assert found.counts == ((1, 0), (0, 3))


def test_the_rarest_answers_are_put_together():
    pairs = [("a", "a")] * 4 + [("b", "a")] * 3 + [("c", "c"), ("c", "d"), ("d", "d")]
    (found,) = confusions(asked("which", pairs), largest=2)
    assert found.expected == found.given == ("a", "b", OTHERS)
    assert found.counts == ((4, 0, 0), (3, 0, 0), (0, 0, 3))
    assert found.right == 2


def test_kinds_without_a_closed_set_of_answers_have_no_table():
    captions = asked("caption", [(f"a {i}", "a 1") for i in range(9)])
    one = asked("always", [("yes", "no")] * 5)
    assert [table.kind for table in confusions([*captions, *one])] == []
