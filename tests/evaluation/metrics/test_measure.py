import json
import os
from pathlib import Path

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.evaluation.metrics import Material, Metrics, find_metric
from qvlm_qiskit.recipes import METRICS

ROOT = Path(__file__).parents[3]
CAPTIONS = Path(os.environ.get("QVLM_DATA", ROOT.parent / "shared/data"), "captions_val2017.json")
CAPTION_METRICS = ("bleu", "cider", "rouge-l")


def test_captions_are_tokenised_for_caption_metrics_only():
    given = Material(["A Cat.", "Two dogs!"], [["a cat"], ["a dog", "two dogs"]])
    found = Metrics(["exact-match", *CAPTION_METRICS], "port").measure(given)
    assert found["exact match"].value == 0
    assert found["ROUGE-L"].value == 1
    assert found["BLEU-1"].value == pytest.approx(1)
    assert found.tokenizer.name == "port"
    labels = ["exact match", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr", "ROUGE-L"]
    assert [one.label for one in found.values] == labels


def test_without_caption_metrics_there_is_no_tokenizer():
    found = Metrics(["exact-match"]).measure(Material(["a"], [["a"]]))
    assert found.tokenizer is None
    assert found.as_dict()["tokenizer"] is None
    with pytest.raises(UnknownNameError, match="did you mean 'java'"):
        Metrics(["exact-match"], "jawa")


def test_results_are_plain_data():
    found = Metrics(["bleu"], "port").measure(Material(["a b", "c"], [["a"], ["c"]]))
    record = json.loads(json.dumps(found.as_dict()))
    assert record["tokenizer"]["name"] == "port"
    assert record["metrics"][0] == {
        "metric": "bleu", "label": "BLEU-1", "value": found["BLEU-1"].value,
        "low": found["BLEU-1"].low, "high": found["BLEU-1"].high, "unit": "share",
        "interval": "bootstrap", "samples": 2,
    }  # fmt: skip


def test_means_have_their_samples_scores_and_corpus_scores_have_none():
    texts = Material(["a", "b"], [["a"] * 4, ["c"] * 4])
    found = Metrics([*CAPTION_METRICS, "vqa-accuracy", "exact-match"], "port").measure(texts)
    per_sample = {one.label: one.per_sample for one in found.values}
    assert per_sample["VQA accuracy"] == per_sample["exact match"] == (1.0, 0.0)
    assert per_sample["BLEU-4"] is None
    for label in ("CIDEr", "ROUGE-L", "VQA accuracy"):
        assert sum(per_sample[label]) / 2 == pytest.approx(found[label].value)


HOSTILE = [
    "",
    " ",
    ".",
    "?!...",
    "\n",
    "日本語",
    "😀",
    "\u200b",
    "a" * 3000,
    "-lrb- ||| ``",
    "\x00",
    "é́",
]


@pytest.mark.parametrize("name", [n for n in METRICS.own if n != "meteor"])
def test_hostile_texts_have_values_within_the_bounds(name):
    metrics = Metrics([name], "port")
    if metrics.need_tokens:
        pytest.skip("takes no texts")
    references = [[text, *HOSTILE[:4]] for text in reversed(HOSTILE)]
    for one in metrics.measure(Material(HOSTILE, references)).values:
        lowest, highest = metrics.found[0].bounds
        assert lowest <= one.low <= one.value <= one.high <= highest + 1e-9, one


def test_values_do_not_depend_on_the_order_of_samples():
    answers, references = ["a cat", "dogs", "x y"], [["the cat"], ["dogs"], ["x", "y"]]
    there = Metrics(CAPTION_METRICS, "port").measure(Material(answers, references))
    back = Metrics(CAPTION_METRICS, "port").measure(Material(answers[::-1], references[::-1]))
    for one, other in zip(there.values, back.values, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-12)


@pytest.mark.parametrize(
    ("answers", "references", "says"),
    [
        ([], [], "at least 1 sample"),
        (["a"], [[]], "sample 0 has no reference"),
        (["a", "b"], [["a"]], "2 answers and 1 samples' references"),
        (["a"], [["a"]], "'cider' needs at least 2 samples"),
    ],
)
def test_what_can_not_be_measured_is_refused(answers, references, says):
    with pytest.raises(InputError, match=says):
        Metrics(["cider"], "port").measure(Material(answers, references))


def test_an_unknown_metric_or_tokenizer_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'rouge-l'"):
        Metrics(["rougel"])
    with pytest.raises(UnknownNameError, match="did you mean 'port'"):
        Metrics(["bleu"], "ports")


@pytest.mark.parametrize("name", METRICS.own)
def test_every_metric_says_what_it_is(name):
    found = find_metric(name)
    assert found.name == name
    assert found.labels
    assert found.source
    assert found.bounds[0] < found.bounds[1]
    assert type(found).__doc__


@pytest.mark.skipif(
    not CAPTIONS.is_file(), reason="needs COCO's captions_val2017.json in QVLM_DATA"
)
def test_cocos_published_example_has_the_official_values():
    """Of the captions that coco-caption's example judges, those of images of 2017's part."""
    example = json.loads((Path(__file__).parent / "coco_example.json").read_text("utf-8"))
    people = {int(image): [] for image in example}
    for one in json.loads(CAPTIONS.read_text("utf-8"))["annotations"]:
        if one["image_id"] in people:
            people[one["image_id"]].append(one["caption"])
    given = Material(list(example.values()), list(people.values()))
    found = Metrics(CAPTION_METRICS, "port").measure(given)
    assert found["CIDEr"].value == pytest.approx(0.627722, abs=5e-7)
    assert found["BLEU-4"].value == pytest.approx(0.198265, abs=5e-7)
    assert found["ROUGE-L"].value == pytest.approx(0.40798, abs=5e-6)


def test_each_kind_of_question_has_the_numbers_of_its_samples():
    answers, texts = ["a cat", "two", "a dog", "three"], ["a cat", "two", "a cow", "four"]
    metrics, references = Metrics(["exact-match", "rouge-l"], "port"), [[text] for text in texts]
    found = metrics.measure(Material(answers, references, kinds=["is", "how", "is", "how"]))
    assert list(found.by_kind) == ["is", "how"]
    for kind, rows in (("is", (0, 2)), ("how", (1, 3))):
        alone = Material([answers[i] for i in rows], [references[i] for i in rows])
        assert found.by_kind[kind] == metrics.measure(alone).values
    assert metrics.measure(Material(answers, references, kinds=["is"] * 4)).by_kind == {}
