from dataclasses import dataclass

from PIL import Image

from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation.evaluate import judge

IMAGE = Image.new("L", (2, 2))


def test_an_answer_is_right_word_for_word():
    sample = Sample(IMAGE, "kind", "which?", "a cat")
    assert sample.accepts("a cat")
    assert not sample.accepts("a cat.")


def test_a_data_set_may_judge_by_a_rule_of_its_own():
    @dataclass(frozen=True)
    class Lenient(Sample):
        def accepts(self, given):
            return given.startswith(self.answer)

    samples = [Sample(IMAGE, "kind", "which?", "cat"), Lenient(IMAGE, "kind", "which?", "cat")]
    assert judge(["cats", "cats"], samples).correct == (False, True)
