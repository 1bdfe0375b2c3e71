"""A metric: answers that begin as a reference does."""

from qvlm_qiskit.evaluation.metrics import SampleMean, register_metric


@register_metric("first-letter")
class FirstLetter(SampleMean):
    """The share of answers whose first letter is that of one of their references."""

    labels = ("first letter",)
    source = "Acme"

    def scores(self, answers, references):
        return [
            float(answer[:1] in {text[:1] for text in texts})
            for answer, texts in zip(answers, references, strict=True)
        ]
