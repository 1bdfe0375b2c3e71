import json
from pathlib import Path

import pytest
from PIL import Image

from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.evaluation import Material, Metrics, evaluate
from qvlm_qiskit.evaluation.loss import token_scores
from qvlm_qiskit.recipes import METRICS
from tests.cli.tables import cells, widest


def bare(record):
    return {key: value for key, value in record.items() if key != "seconds"}


def token_values(run, samples):
    """Next-token accuracy and perplexity, in one batch."""
    scores = token_scores(run.model(), run.processor(), samples)
    given = Material([""] * len(samples), [[""]] * len(samples), tokens=scores)
    return Metrics(["next-token-accuracy", "perplexity"]).measure(given).values


def test_evaluate_prints_accuracies_with_intervals(qvlm, tiny_run):
    found = qvlm("evaluate", "run", "--limit", "20")
    assert found.status == 0
    assert "20/20" in found.err
    assert widest(found.out) <= 80
    samples = list(DigitCanvases("test", 20, tiny_run.seed))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples)
    accuracies = {"all questions": expected.accuracy, **expected.by_kind}
    questions, tokens = found.out.split("the same 20 questions")
    assert cells(questions) == [
        [
            label,
            f"{accuracy.correct}/{accuracy.total}",
            f"{accuracy.value:.1%}",
            f"{accuracy.interval[0]:.1%} – {accuracy.interval[1]:.1%}",
        ]
        for label, accuracy in accuracies.items()
    ]
    assert found.out.splitlines()[0].strip() == "run on statevector (exact)"
    share, perplexity = token_values(tiny_run, samples)
    assert cells(tokens)[:2] == [
        [
            "next-token accuracy",
            "all",
            f"{share.value:.1%}",
            f"{share.low:.1%} – {share.high:.1%}",
        ],
        [
            "perplexity",
            "all",
            f"{perplexity.value:.3f}",
            f"{perplexity.low:.3f} – {perplexity.high:.3f}",
        ],
    ]
    assert [row[1] for row in cells(tokens)[2:]] == [
        kind for kind in expected.by_kind for _ in "12"
    ]


def test_evaluate_says_on_which_machine(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "50", "--mitigation", "readout")
    found = qvlm("evaluate", "run", "--limit", "2", *words)
    title = found.out.partition("┏")[0]
    assert " ".join(title.split()) == (
        "run on noisy:fake_manila (simulated shots, 50 shots, readout)"
    )
    assert widest(found.out) <= 80


def test_evaluate_as_json(qvlm, tiny_run):
    found = qvlm("evaluate", "run", "--limit", "10", "--json")
    record = json.loads(found.out)
    samples = list(DigitCanvases("test", 10, tiny_run.seed))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples).as_dict()
    assert {key: record[key] for key in expected} == expected
    added = {"backend", "seconds", "questions", "metrics", "metrics_by_kind", "tokenizer"}
    assert set(record) == {*expected, *added}
    exact, share, _ = record["metrics"]
    for kind, part in record["by_kind"].items():
        first, *others = record["metrics_by_kind"][kind]
        assert (first["value"], first["samples"]) == (part["accuracy"], part["total"])
        assert [one["metric"] for one in others] == ["next-token-accuracy", "perplexity"]
    assert (exact["value"], exact["low"], exact["high"]) == (
        record["accuracy"], record["low"], record["high"],
    )  # fmt: skip
    assert (share["metric"], share["interval"]) == ("next-token-accuracy", "bootstrap")
    assert record["tokenizer"] is None
    right = [entry["correct"] for entry in record["questions"]]
    assert right == sorted(right)
    assert sum(right) == record["correct"]
    for entry in record["questions"]:
        sample = samples[entry["index"]]
        assert (entry["question"], entry["expected"]) == (sample.question, sample.answer)
        assert entry["correct"] == sample.accepts(entry["answer"])
    assert record["low"] <= record["accuracy"] <= record["high"]
    assert record["backend"]["name"] == "statevector"


def test_evaluate_judges_generated_answers_by_the_metrics_that_are_named(qvlm, tiny_run):
    words = ("--metric", "bleu, rouge-l", "--metric", "cider", "--caption-tokenizer", "port")
    found = qvlm("evaluate", "run", "--limit", "10", *words)
    assert found.status == 0, found.err
    samples = list(DigitCanvases("test", 10, tiny_run.seed))
    answers = evaluate(tiny_run.model(), tiny_run.processor(), samples).answers
    given = Material(answers, [(s.answer,) for s in samples])
    expected = Metrics(["bleu", "rouge-l", "cider"], "port").measure(given)
    numbers = [(one.label, one.value, one.unit) for one in expected.values]
    assert [row[:3] for row in cells(found.out)[: len(numbers)]] == [
        [label, "all", f"{value:.1%}" if unit == "share" else f"{value:.3f}"]
        for label, value, unit in numbers
    ]
    assert "exact" not in cells(found.out)[0]
    (said,) = [line for line in found.out.splitlines() if line.startswith("tokens of captions")]
    assert said.endswith("this package's port of Stanford's PTBTokenizer (as asked for)")


def test_evaluate_takes_no_pass_more_than_the_preflight_says_unless_it_is_asked_to(qvlm):
    words = ("evaluate", "run", "--limit", "2", "--backend", "aer", "--shots", "9", "--json")
    plain = qvlm(*words)
    assert [one["metric"] for one in json.loads(plain.out)["metrics"]] == ["exact-match"]
    assert "preflight" not in plain.err
    asked = qvlm(*words, "--metric", "perplexity")
    assert [one["metric"] for one in json.loads(asked.out)["metrics"]] == ["perplexity"]
    assert "a pass more than qvlm preflight counts" in asked.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--metric blue", "unknown metric 'blue': did you mean 'bleu'?"),
        ("--metric bleu,", "unknown metric ''"),
        ("--metric vqa-accuracy", "at least 4 people to every question"),
        (
            "--metric bleu --caption-tokenizer jave",
            "unknown tokenizer 'jave': did you mean 'java'?",
        ),
        ("--metric cider --limit 1", "'cider' needs at least 2 samples"),
        ("--metric meteor", "metric 'meteor' needs Java, and there is no java on the PATH"),
    ],
)
def test_metrics_that_can_not_be_are_refused_in_one_line(refused, monkeypatch, words, says):
    monkeypatch.setenv("PATH", "")
    assert says in refused("evaluate", "run", *words.split())


def test_evaluate_says_that_answers_are_longer_than_what_is_generated(qvlm):
    words = ("evaluate", "run", "--limit", "10", "--metric", "exact-match")
    assert "longer than" not in qvlm(*words).err
    shorter = qvlm(*words, "--max-new-tokens", "9", "--json")
    assert "said of 2 of 10 samples is longer than the 9 tokens" in shorter.err
    answers = [entry["answer"] for entry in json.loads(shorter.out)["questions"]]
    assert max(len(answer.split()) for answer in answers) <= 9


def test_what_the_model_can_not_read_is_refused_in_one_line(refused, place):
    Image.new("RGB", (8, 8)).save("one.png")
    words = " ".join(["digit"] * 90)
    Path("long.csv").write_text(f"image,question,answer,split\none.png,{words},3,test\n")
    said = refused("evaluate", "run", "--data", "table:long.csv")
    assert "tokens of image and question are more than the" in said
    assert said.endswith(
        "that the model reads: 'digit digit digit digit digit digit digit digit digit …'"
    )
    said = refused("evaluate", "run", "--limit", "2", "--max-new-tokens", "999")
    assert "answers of 999 tokens do not fit: the model reads" in said
    assert "at least 1 token, got 0" in refused("evaluate", "run", "--max-new-tokens", "0")


def test_the_help_names_every_metric(qvlm):
    said = " ".join(qvlm("evaluate", "--help").out.split()).replace("- ", "-")
    assert [name for name in METRICS.own if name not in said] == []


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("--backend aer", {"kind": "exact", "shots": None}),
        ("--backend aer --shots 40", {"kind": "simulated shots", "shots": 40}),
        ("--backend aer --precision 0.125", {"kind": "simulated shots", "precision": 0.125}),
        (
            "--backend noisy:depolarizing(0.01) --noise-scale 2 --optimization-level 1",
            {"optimization_level": 1},
        ),
        ("--backend fake_manila --mitigation resilience-1 --shots 30", {"kind": "local runtime"}),
        ("--backend noisy:fake_manila --mitigation readout+zne --shots 9", {"shots": 9}),
        ("--backend noisy:fake_manila --method aer --max-age-days 1e5 --shots 9", {"shots": 9}),
    ],
)
def test_evaluate_takes_the_options_of_a_backend(qvlm, words, about):
    found = qvlm("evaluate", "run", "--limit", "2", "--json", *words.split())
    assert found.status == 0, found.err
    backend = json.loads(found.out)["backend"]
    assert backend["name"] == words.split()[1]
    assert {key: backend[key] for key in about} == about
    scale = 2.0 if "--noise-scale" in words else 1.0
    assert backend["device"].get("noise_scale", 1.0) == scale
    if words.startswith("--backend noisy:"):
        assert backend["device"]["method"] == ("aer" if "--method" in words else "auto")
    assert backend["seed"] == 0


@pytest.mark.slow
def test_evaluate_prints_what_auto_tried_and_why_it_chose(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "100", "--limit", "2")
    techniques = "techniques=none,readout,learned-zne"
    found = qvlm(
        "evaluate", "run", *words, "--mitigation", f"auto(circuits=4,budget=100000,{techniques})"
    )
    assert found.status == 0, found.err
    assert "auto for " in found.out
    tried = [row[0] for row in cells(found.out)]
    assert {"none", "readout", "learned-zne"} <= set(tried), found.out


@pytest.mark.slow
def test_evaluate_is_repeatable_and_follows_its_seed(qvlm):
    def answer(*seed):
        words = ("--backend", "noisy:fake_manila", "--shots", "5", "--json")
        return bare(json.loads(qvlm("evaluate", "run", "--limit", "10", *words, *seed).out))

    first = answer()
    assert answer() == answer("--seed", "0") == first
    assert answer("--seed", "7")["backend"]["seed"] == 7


def test_exact_machines_agree(qvlm):
    records = [
        json.loads(qvlm("evaluate", "run", "--limit", "10", "--json", "--backend", name).out)
        for name in ("statevector", "aer")
    ]
    assert records[0]["by_kind"] == records[1]["by_kind"]


def test_evaluate_writes_a_page_and_replaces_none(qvlm, refused, place):
    found = qvlm("evaluate", "run", "--limit", "4", "--report", "page.html")
    assert found.status == 0, found.err
    assert found.err.splitlines()[-1] == "qvlm: report: page.html"
    assert "Pictures and answers" in Path("page.html").read_text(encoding="utf-8")
    for path, says in (
        ("page.html", "exists already"),
        ("page.pdf", "ends in .html"),
        ("nowhere/page.html", "there is no folder"),
    ):
        assert says in refused("evaluate", "run", "--report", path)
