"""A model of the user's own through every command, from a folder of pictures to paid jobs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.inference import SubmitOptions, start_evaluation
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import list_runs
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train
from tests.models.colours import EXAMPLE, NAME, SHADES, colour_folder

MODULE = NAME.partition(":")[0]
MACHINE = ("--backend", "noisy:fake_manila", "--shots", "100", "--limit", "6", "--seed", "1")
PLAIN_VALUES = ("--mitigation", "none")
STORE = ("--store", "ledger")
SMALL = ("--steps", "2", "--batch-size", "4", "--train-samples", "8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of pictures, and the example's run folder of them."""
    root = tmp_path_factory.mktemp("own")
    place = colour_folder(root / "colours")
    options = TrainingOptions(
        data=f"folder:{place}", model=NAME, steps=60, batch_size=8, learning_rate=0.1,
        train_samples=24,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE.parent))
        train(options, root / "run")
    sys.modules.pop(MODULE)
    return root


@pytest.fixture
def here(trained, place, monkeypatch):
    """The working folder, with the pictures, the run and the class."""
    elsewhere = [path for path in sys.path if path != str(EXAMPLE.parent)]
    monkeypatch.setattr(sys, "path", elsewhere)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python's own file is no command's
    Path("colours").symlink_to(trained / "colours")
    Path("own").symlink_to(trained / "run")
    Path(f"{MODULE}.py").write_text(EXAMPLE.read_text())
    yield
    sys.modules.pop(MODULE, None)


def test_it_is_trained_from_the_current_folder_with_typed_options(qvlm, here):
    words = ("--model", NAME, "--model-option", "num_qubits=2", "--data", "folder:colours")
    found = qvlm("train", *words, *SMALL, "--out", "new")
    assert found.status == 0, found.err
    assert "(4 circuit angles)" in found.err
    run = Run.open(Path("new"))
    assert run.model_name == f"{NAME}(num_qubits=2)"
    assert run.answering_model().options.num_qubits == 2


def test_it_is_evaluated_exactly_and_under_noise_by_any_metric_of_answers(qvlm, here):
    exact = json.loads(qvlm("evaluate", "own", "--json").out)
    assert (exact["total"], [one["metric"] for one in exact["metrics"]]) == (12, ["exact-match"])
    assert exact["accuracy"] >= 0.9
    found = qvlm("evaluate", "own", *MACHINE, "--metric", "exact-match,bleu", "--json")
    record = json.loads(found.out)
    assert record["backend"]["shots"] == 100
    assert {one["metric"] for one in record["metrics"]} == {"exact-match", "bleu"}
    assert {one["answer"] for one in record["questions"]} <= set(SHADES)


def test_its_circuits_are_planned(qvlm, here):
    found = json.loads(qvlm("preflight", "own", *MACHINE, *PLAIN_VALUES, "--json").out)
    assert found["generation"] == {"tokens": 1, "jobs_in_a_row": 1}
    assert found["instead"] == []
    shown = qvlm("preflight", "own", *MACHINE, *PLAIN_VALUES)
    assert "waits for at most 1 jobs one after the other" in shown.out


def test_it_is_asked_without_a_question_or_with_one(qvlm, here):
    Image.new("RGB", (30, 20), SHADES["blue"]).save("blue.png")
    assert qvlm("ask", "blue.png", "--run", "own").out == "blue\n"
    found = json.loads(qvlm("ask", "blue.png", "--run", "own", "--json").out)
    assert (found["question"], found["answer"]) == ("what is this?", "blue")
    asked = ("ask", "blue.png", "--run", "own", "--question", "which colour?", "--json")
    assert json.loads(qvlm(*asked).out)["question"] == "which colour?"


def test_one_pass_is_bought_in_one_job_and_never_again(qvlm, here, ledger):
    plan = json.loads(qvlm("submit", "own", *MACHINE, *STORE, "--dry-run", "--json").out)
    rows = plan["with_prefetch"]["rows"]
    assert 3 <= rows <= 6  # pictures whose features are the same angles are one row
    assert (plan["without_prefetch"]["rows"], plan["without_prefetch"]["jobs"]) == (rows, 1)
    found = qvlm("submit", "own", *MACHINE, *STORE, "--budget-executions", "1000", "--json")
    assert found.status == 0, found.err
    assert json.loads(found.out)["result"]["total"] == 6
    shown = qvlm("submit", "own", *MACHINE, *STORE, "--dry-run").out
    assert "no difference" in shown
    assert "generated word" not in shown
    again = json.loads(qvlm("submit", "own", *MACHINE, *STORE, "--json").out)
    assert again["result"]["costs"]["rows_saved"] == rows
    assert (ledger().count_jobs(), ledger().count_rows()) == (1, rows)


def test_a_submission_does_not_go_on_with_a_class_that_was_edited(qvlm, here, ledger):
    machine = open_backend("noisy:fake_manila", shots=100, seed=1)
    begun = start_evaluation(
        Run.open(Path("own")), machine, JobStore("ledger"), SubmitOptions(limit=2)
    )
    with Path(f"{MODULE}.py").open("a") as file:
        file.write("# another\n")
    found = qvlm("jobs", "resume", begun.id, *STORE)
    assert found.status == 2
    assert f"class {MODULE}.py has changed since; its jobs can't be gone on with" in found.err
    assert ledger().count_jobs() == 0


KILLED = """
import os, signal, sys
import {module} as module

def dies(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

module.{name} = dies
from qvlm_qiskit.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("qvlm_qiskit.inference.drive", "result_of"),  # all is answered, nothing is kept of it
        ("qvlm_qiskit.jobs.services.decode", "decode"),  # sent, and not read
    ],
)
def test_a_submission_that_is_killed_buys_nothing_twice(qvlm, here, ledger, module, name):
    script = KILLED.format(module=module, name=name)
    words = [sys.executable, "-c", script, "submit", "own", *MACHINE, *STORE]
    died = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr
    (run,) = list_runs(ledger())
    assert (run.state, ledger().count_jobs()) == ("waiting", 1)
    bought = ledger().count_rows()
    done = qvlm("jobs", "resume", run.id, *STORE)
    assert done.status == 0, done.err
    (run,) = list_runs(ledger())
    assert (run.state, run.result["total"]) == ("done", 6)
    assert (ledger().count_jobs(), ledger().count_rows()) == (1, bought)


def test_it_is_trained_through_a_ledger_from_a_run(qvlm, here, ledger):
    words = ("--from", "own", "--steps", "2", "--batch-size", "2", "--backend", "noisy:fake_manila")
    sampled = ("--shots", "50", "--gradient", "spsa", "--budget-executions", "5000", *STORE)
    found = qvlm("train", *words, *sampled, "--out", "tuned")
    assert found.status == 0, found.err
    assert "trained 6 parameters (6 circuit angles)" in found.err
    assert ledger().count_jobs() == 2  # one a step
    before, after = (Run.open(Path(p)).answering_model().state_dict() for p in ("own", "tuned"))
    changed = [name for name in before if not before[name].equal(after[name])]
    assert changed == ["circuit.weight"]
    (run,) = list_runs(ledger())
    place, command = run.request["command"].split(" && ")
    assert place == f"cd {Path.cwd()}"
    assert command.startswith("qvlm train ")


def test_options_of_its_own_are_repeated_in_what_goes_on_with_a_training(qvlm, here, ledger):
    words = ("--model", NAME, "--model-option", "num_qubits=1", "--model-option", "side=2")
    sampled = ("--shots", "20", "--gradient", "spsa", "--budget-executions", "5000", *STORE)
    sizes = ("--data", "folder:colours", "--steps", "1", "--batch-size", "1")
    machine = ("--backend", "noisy:fake_manila", "--out", "new")
    assert qvlm("train", *words, *sampled, *sizes, *machine).status == 0
    (run,) = list_runs(ledger())
    assert (
        f"--model {NAME} --model-option num_qubits=1 --model-option side=2"
        in (run.request["command"])
    )


def test_it_is_trained_on_exact_noise(qvlm, here):
    words = ("--model", NAME, "--data", "folder:colours", "--backend", "noisy:fake_manila")
    found = qvlm("train", *words, *SMALL, "--out", "new")
    assert found.status == 0, found.err
    assert Run.open(Path("new")).info["backend"]["name"] == "noisy:fake_manila"


NOISY = ("--backend", "noisy:fake_manila", "--limit", "6", "--shots", "50", "--strengths", "0,2")


@pytest.mark.slow
def test_it_is_studied_under_noise(qvlm, here):
    found = qvlm("study", "noise", "own", *NOISY, "--out", "study")
    assert found.status == 0, found.err
    rows = json.loads(Path("study/results.json").read_text())["rows"]
    # the last one is exact: neither noise nor shots
    assert [row["strength"] for row in rows] == [0, 2, None]
    assert [entry["block"] for entry in rows[0]["expectations"]] == ["circuit"]
    assert rows[0]["loss"] < rows[1]["loss"]


@pytest.mark.slow
def test_a_study_trains_more_seeds_of_it_in_other_processes(qvlm, here):
    words = (*NOISY, "--seeds", "2", "--train-at", "1", "--processes", "2", "--out", "study")
    found = qvlm("study", "noise", "own", *words)
    assert found.status == 0, found.err
    rows = json.loads(Path("study/results.json").read_text())["rows"]
    kinds = {(row["kind"], row["seed"]) for row in rows}
    assert kinds == {(k, s) for k in ("trained exactly", "trained at × 1") for s in (0, 1)}


def test_its_card_says_what_class_it_is(qvlm, here):
    card = qvlm("push", "own", "me/mine", "--dry-run").out
    assert f"find_model('{NAME}').load(folder)" in card
    assert "library_name: transformers" not in card
    assert "recipe" not in card


PLAIN = """
from torch import nn
from qvlm_qiskit.models import Classifier, pixels

class Plain(Classifier):
    def __init__(self, options, classes):
        super().__init__(options, classes)
        self.map = nn.Linear(12, len(classes))

    def inputs(self, samples):
        return {"images": pixels(samples, 2)}

    def forward(self, images, labels=None):
        return self.scored(self.map(images.flatten(1)), labels)
"""


def test_a_model_without_circuits_is_trained_and_goes_to_no_machine(qvlm, here):
    Path("plain_nets.py").write_text(PLAIN)
    words = ("--model", "plain_nets:Plain", "--data", "folder:colours", *SMALL)
    found = qvlm("train", *words, "--out", "plain")
    assert found.status == 0, found.err
    assert qvlm("evaluate", "plain").status == 0
    for refused in (
        ("evaluate", "plain", *MACHINE),
        ("preflight", "plain", *MACHINE),
        ("submit", "plain", *MACHINE, *STORE),
        ("train", *words, "--backend", "noisy:fake_manila", "--out", "other"),
    ):
        found = qvlm(*refused)
        *progress, line = found.err.splitlines()
        assert (found.status, "rehearsal" in str(progress)) == (2, False)
        assert "no quantum layer" in line or "no circuits" in line
    sys.modules.pop("plain_nets")


def test_answers_that_training_lacked_are_wrong_and_said(qvlm, here):
    colour_folder(Path("others"), {"train": 1, "test": 2}, {"mauve": (200, 100, 200)})
    found = qvlm("evaluate", "own", "--data", "folder:others", "--json")
    assert "2 of 2 samples have an answer that the training samples lacked, such as 'mauve'" in (
        found.err
    )
    assert json.loads(found.out)["correct"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train --out new --model nowhere:A", "no module 'nowhere' is installed, on PYTHONPATH or"),
        ("train --out new --model {name}x", "did you mean 'PictureClassifier'"),
        ("train --out new --model picture_classifier:nn", "is no class but a module"),
        ("train --out new --model {name} --recipe tiny", "recipe is an option of hybrid-vlm"),
        ("train --out new --model {name} --model-option sides=3", "did you mean 'side'"),
        ("train --out new --model {name} --model-option side", "is not of the form"),
        ("train --out new --model {name} --model-option side=big", "side is a number (int)"),
        ("train --out new --model hybrid", "did you mean 'hybrid-vlm'"),
        ("train --out new --from own --model nowhere:A", "was trained with model="),
        ("evaluate own --metric perplexity", "gives its answers at once"),
        ("caption image.png --run own", "without captions"),
        ("study noise own --out s --backend noisy:fake_manila --twins --seeds 1", "has none"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(refused, here, words, says):
    line = refused(*(word.format(name=NAME) for word in words.split()))
    assert says in line


def test_a_held_out_answer_that_training_lacks_is_refused_before_anything_is_written(
    qvlm, here, place, tree
):
    colour_folder(Path("odd"), {"train": 1, "test": 1})
    colour_folder(Path("odd"), {"val": 1}, {"mauve": (200, 100, 200)})
    before = tree(place)
    words = ("--model", NAME, "--data", "folder:odd", "--train-samples", "3")
    found = qvlm("train", "--out", "new", *words, "--evaluate-every", "1")
    assert found.status == 2
    assert found.err.splitlines()[-1].startswith(f"qvlm: unknown class of {NAME} 'mauve'")
    assert tree(place) == before


def test_a_run_whose_class_is_not_here_says_where_it_was(refused, here):
    Path(f"{MODULE}.py").unlink()
    line = refused("evaluate", "own")
    assert f"no module '{MODULE}'" in line
    assert f"it was trained with {EXAMPLE}" in line
