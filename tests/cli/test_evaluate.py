import json

import pytest

from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.evaluation import evaluate
from tests.cli.tables import cells, widest


def bare(record):
    return {key: value for key, value in record.items() if key != "seconds"}


def test_evaluate_prints_accuracies_with_intervals(qvlm, tiny_run):
    found = qvlm("evaluate", "run", "--limit", "20")
    assert found.status == 0
    assert "20/20" in found.err
    assert widest(found.out) <= 80
    samples = list(DigitCanvases("test", 20, tiny_run.seed))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples)
    accuracies = {"all questions": expected.accuracy, **expected.by_kind}
    assert cells(found.out) == [
        [
            label,
            f"{accuracy.correct}/{accuracy.total}",
            f"{accuracy.value:.1%}",
            f"{accuracy.interval[0]:.1%} – {accuracy.interval[1]:.1%}",
        ]
        for label, accuracy in accuracies.items()
    ]
    assert found.out.splitlines()[0].strip() == "run on statevector (exact)"


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
    assert set(record) == {*expected, "backend", "seconds", "questions"}
    right = [entry["correct"] for entry in record["questions"]]
    assert right == sorted(right)
    assert sum(right) == record["correct"]
    for entry in record["questions"]:
        sample = samples[entry["index"]]
        assert (entry["question"], entry["expected"]) == (sample.question, sample.answer)
        assert entry["correct"] == sample.accepts(entry["answer"])
    assert record["low"] <= record["accuracy"] <= record["high"]
    assert record["backend"]["name"] == "statevector"


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
