from dataclasses import dataclass

import pytest
from PIL import Image

from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation.evaluate import judge

IMAGE = Image.new("L", (2, 2))


def test_an_answer_is_right_word_for_word():
    sample = Sample(IMAGE, "kind", "which?", "a cat")
    assert sample.accepts("a cat")
    assert not sample.accepts("a cat.")


@pytest.mark.parametrize(
    ("given", "right"),
    [("A Cat", True), ("it's a dog.", True), ("it ' s a dog .", True), ("its a dog.", False),
     ("11", False), ("1 1", True), ("", False)],
)  # fmt: skip
def test_any_answer_that_people_gave_is_right_and_case_and_spaces_at_marks_are_nothing(
    given, right
):
    sample = Sample(IMAGE, "kind", "which?", "a cat", references=("It's a dog.", "1 1"))
    assert sample.accepts(given) == right


def test_a_data_set_may_judge_by_a_rule_of_its_own():
    @dataclass(frozen=True)
    class Lenient(Sample):
        def accepts(self, given):
            return given.startswith(self.answer)

    samples = [Sample(IMAGE, "kind", "which?", "cat"), Lenient(IMAGE, "kind", "which?", "cat")]
    assert judge(["cats", "cats"], samples).correct == (False, True)
