"""Every part of another distribution through the command line, from training to paid jobs."""

import importlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
import torch

from qvlm_qiskit.cli import main
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.preflight import jobs_in_a_row
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train
from tests.conftest import photograph

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "tests/plugins/pyproject.toml").read_text(encoding="utf-8"))
OPTIONS = {
    "recipe": "tiny", "steps": 5, "batch_size": 4, "train_samples": 8,
    "data": "shades", "vision_block": "two-angles", "text_block": "unplaced",
}  # fmt: skip
PAID = ("--backend", "acme", "--shots", "100", "--limit", "2", "--seed", "1")

DIES = """
import os, signal, sys
from acme_qvlm import cloud
from qvlm_qiskit.cli import main

send = cloud.send


def dies_after_the_second(*job):
    number = send(*job)
    if len(cloud.jobs()) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


cloud.send = dies_after_the_second
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def run(plugged, tmp_path_factory):
    """A run folder of the command line, with the foreign data set and blocks."""
    out = tmp_path_factory.mktemp("trained") / "run"
    given = [(f"--{name.replace('_', '-')}", str(value)) for name, value in OPTIONS.items()]
    assert main(["train", "--out", str(out), *chain(*given)]) == 0
    return out


@pytest.fixture
def qvlm(capfd):
    """Runs a command line in this process; what it printed, if its status is as expected."""

    def call(*words, status=0):
        capfd.readouterr()
        found = main([str(word) for word in words])
        printed = capfd.readouterr()
        assert found == status, printed.err
        return printed.err if status else printed.out

    return call


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The ledger that commands use, and an empty data centre of the foreign company."""
    (tmp_path / "cloud").mkdir()
    monkeypatch.setenv("ACME_CLOUD", str(tmp_path / "cloud"))
    monkeypatch.setenv("QVLM_STORE", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


@pytest.fixture
def cloud(store, plugged):
    return importlib.import_module("acme_qvlm.cloud")


@pytest.fixture
def process(plugins, store):
    """Runs Python in a process of its own that finds the distribution on its path."""
    environment = {**os.environ, "PYTHONPATH": str(plugins)}

    def call(*words):
        command = [sys.executable, *(str(word) for word in words)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)

    return call


def test_installing_it_leaves_nothing_beside_its_sources(plugins):
    kept = {path for path in photograph(ROOT / "tests" / "plugins") if "__pycache__" not in path}
    modules = {f"acme_qvlm/{path.name}" for path in (plugins / "acme_qvlm").glob("*.py")}
    assert kept == {"pyproject.toml", "acme_qvlm/", *modules}


def test_nothing_in_the_package_names_it():
    groups = PROJECT["project"]["entry-points"].values()
    names = {"acme", *(name for group in groups for name in group)}
    assert len(names) >= 7
    for folder in ("qvlm_qiskit", "backends", "jobs", "noise_models"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".j2"):
                text = path.read_text(encoding="utf-8").lower()
                assert [name for name in names if name in text] == [], path


def test_the_run_folder_says_and_opens_what_it_was_trained_on(run):
    opened = Run.open(run)
    assert opened.info["data"] == {"name": "shades", "train_samples": 8}
    assert {s.answer for s in opened.samples("test", 4)} == {"black", "white"}
    assert opened.model().config.blocks == {
        "vision": {"name": "two-angles", "kind": "quantum"},
        "text": {"name": "unplaced", "num_qubits": 2, "num_layers": 1, "kind": "quantum"},
    }


def test_the_circuits_are_trained_and_stored_under_the_blocks_names(run):
    assert list(Run.open(run).model().quantum_layers) == [
        "vision.embeddings.patch_embeddings.two_angles.layer", "unplaced.core.layer",
    ]  # fmt: skip
    assert list(Run.open(run).history()) == [
        "step", "loss", "learning_rate", "gate_unplaced", "load_layer1_expert0",
        "load_layer1_expert1",
    ]  # fmt: skip


def test_a_frozen_block_is_not_trained(plugged, tmp_path):
    frozen = train(TrainingOptions(**{**OPTIONS, "blocks": "frozen", "steps": 1}), tmp_path / "run")
    layers = frozen.model().quantum_layers.values()
    assert [layer.weight.requires_grad for layer in layers] == [False] * 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("--data", "shade"), "did you mean 'shades'"),
        (("--text-block", "unplace"), "did you mean 'unplaced'"),
        (("--vision-block", "two-angle"), "did you mean 'two-angles'"),
        (("--vision-block", "two-angle", "--blocks", "none"), "did you mean 'two-angles'"),
        (("--vision-block", "unplaced"), "'unplaced' stands at 'text', not at 'vision'"),
    ],
)
def test_what_can_not_be_trained_is_refused_before_anything_is_made(
    qvlm, plugged, tmp_path, change, says
):
    out = tmp_path / "runs" / "run"
    assert says in qvlm("train", "--out", out, "--recipe", "tiny", *change, status=2)
    assert not out.parent.exists()


def test_the_run_is_evaluated_exactly(qvlm, run):
    record = json.loads(qvlm("evaluate", run, "--limit", "4", "--json"))
    assert record["total"] == 4
    assert set(record["by_kind"]) == {"colour"}


def test_the_answers_are_judged_by_its_metric(qvlm, run):
    asked = ("evaluate", run, "--limit", "4", "--metric", "first-letter,exact-match", "--json")
    record = json.loads(qvlm(*asked))
    expected = [q["answer"][:1] == q["expected"][:1] for q in record["questions"]]
    (first, exact) = record["metrics"]
    assert (first["label"], first["value"]) == ("first letter", sum(expected) / 4)
    assert exact["value"] == record["accuracy"]
    assert "did you mean 'first-letter'" in qvlm(
        "evaluate", run, "--metric", "first-leter", status=2
    )


def test_its_model_is_trained_and_goes_to_the_foreign_machine(qvlm, plugged, store, tmp_path):
    words = ("--model", "brightness", "--model-option", "turns=2", "--data", "shades")
    out = tmp_path / "run"
    sizes = ("--steps", "30", "--batch-size", "4", "--train-samples", "8")
    qvlm("train", "--out", out, *words, *sizes, "--learning-rate", "0.2")
    assert Run.open(out).model_name == "brightness(turns=2)"
    assert json.loads(qvlm("evaluate", out, "--limit", "4", "--json"))["accuracy"] == 1.0
    result = json.loads(qvlm("submit", out, *PAID, "--json"))["result"]
    assert (result["total"], result["costs"]["jobs"]) == (2, 1)
    assert "did you mean 'brightness'" in qvlm(
        "train", "--out", tmp_path / "new", "--model", "brightnes", status=2
    )


class Counting(TorchEstimator):
    """Exact, and counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def run(self, pubs, *, precision=None):
        self.calls += 1
        return super().run(pubs, precision=precision)


def test_its_rows_are_bought_once_and_ahead(run):
    """The same answers, and no circuit is run after what is asked ahead."""
    opened = Run.open(run)
    model, processor, samples = opened.model(), opened.processor(), opened.samples("test", 4)
    plain = evaluate(model, processor, samples)
    counting = {name: Counting() for name in model.quantum_layers}
    for name, layer in model.quantum_layers.items():
        layer.run_on(counting[name])
    with asked_once(model), torch.inference_mode():
        prefetch(VisionLanguageModel(model, processor), samples)
        assert evaluate(model, processor, samples) == plain
    assert [each.calls for each in counting.values()] == [1, 1]
    assert jobs_in_a_row(model, tokens=5) == 1 + 5


def test_a_data_set_without_captions_is_not_asked_for_one(qvlm, run, tmp_path):
    image = tmp_path / "image.png"
    Run.open(run).samples("test", 1)[0].image.save(image)
    said = qvlm("caption", image, "--run", run, status=2)
    assert "data set without captions: use qvlm ask" in said


def test_a_noisy_evaluation_with_its_mitigation_costs_what_the_preflight_said(qvlm, run):
    mitigation = "readout(shots=200)+stretched(factor=2.0)"
    noisy = ("--backend", "noisy:fake_manila", "--shots", "100", "--mitigation", mitigation)
    asked = (run, *noisy, "--limit", "2", "--seed", "1", "--json")
    (level,) = json.loads(qvlm("preflight", *asked))["levels"]
    assert level["mitigation"] == mitigation
    assert level["executions"] > 0
    assert level["calibration_executions"] == 2 * 200  # both blocks measure the same qubits
    record = json.loads(qvlm("evaluate", *asked))
    assert record["total"] == 2
    assert record["backend"]["mitigation"] == mitigation
    (_, said) = record["backend"]["techniques"]
    assert said == {"technique": "stretched", "what": "Values multiplied by a factor", "factor": 2}


@pytest.mark.parametrize("budget", [("--budget-executions", "10"), ("--budget-seconds", "0.001")])
def test_a_budget_that_is_too_small_sends_nothing(qvlm, run, cloud, budget):
    assert "nothing was sent" in qvlm("submit", run, *PAID, *budget, status=2)
    assert cloud.jobs() == {}


@pytest.mark.slow
def test_a_submit_that_is_killed_is_resumed_by_another_process_and_nothing_is_bought_twice(
    qvlm, process, run, store, cloud
):
    paid = (*PAID, "--budget-executions", "100000", "--budget-seconds", "1000")
    killed = process("-c", DIES, "submit", run, *paid)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = cloud.jobs()
    assert len(before) == 2
    with closing(JobStore(store, create=False)) as ledger:
        assert sorted(job.state for job in ledger.find()) == ["answered", "posting"]
    the_lease_has_ended(store)
    resumed = process("-m", "qvlm_qiskit", "jobs", "resume", "last", "--json")
    assert resumed.returncode == 0, resumed.stderr
    result = json.loads(resumed.stdout)["result"]

    jobs = cloud.jobs()
    assert dict(list(jobs.items())[:2]) == before
    assert len({job["tag"] for job in jobs.values()}) == len(jobs)
    with closing(JobStore(store, create=False)) as ledger:
        assert sum(job["rows"] for job in jobs.values()) == ledger.count_rows()
        assert {job.server_id for job in ledger.find()} == set(jobs)
    # The company's values are exact, so its answers are those of the exact evaluation.
    exact = json.loads(qvlm("evaluate", run, "--limit", "2", "--json"))
    assert (result["correct"], result["total"]) == (exact["correct"], 2)

    again = json.loads(qvlm("submit", run, *paid, "--json"))
    assert again["result"]["questions"] == result["questions"]
    assert cloud.jobs() == jobs
    rows = sum(job["rows"] for job in jobs.values())
    assert qvlm("jobs", "verify") == f"{rows:,} rows are what their raw results say\n"
    (spent,) = json.loads(qvlm("jobs", "usage", "--ask", "--json"))["usage"]
    assert (spent["machine"], spent["jobs"], spent["rows"]) == ("acme", len(jobs), rows)
    assert spent["seconds_charged"] == 1.5 * len(jobs)
    assert qvlm("evaluate", run, *PAID, "--json")
    assert cloud.jobs() == jobs


def the_lease_has_ended(store):
    """As if the minute had passed that a worker without a sign of life is given."""
    (path,) = store.glob("*.sqlite")
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute("UPDATE submissions SET lease_until = 0").rowcount


@pytest.mark.slow
def test_a_cancelled_run_stops_its_jobs_there_and_a_retry_watches_new_ones(qvlm, run, cloud):
    (cloud.folder() / "held").touch()
    assert "is waiting" in qvlm("submit", run, *PAID, "--detach")
    assert {job["state"] for job in cloud.jobs().values()} == {"running"}
    assert "is cancelled" in qvlm("jobs", "cancel", "last")
    stopped = cloud.jobs()
    assert {job["state"] for job in stopped.values()} == {"cancelled"}
    (cloud.folder() / "held").unlink()
    qvlm("jobs", "retry", "last", "--detach")
    watched = json.loads(qvlm("jobs", "watch", "last", "--interval", "0.01", "--json"))
    assert watched["state"] == "done"
    assert {cloud.job(number)["state"] for number in stopped} == {"cancelled"}


def test_its_machine_is_listed_and_its_study_is_a_command(qvlm, plugged, tmp_path):
    rows = {row["name"]: row for row in json.loads(qvlm("backends", "list", "--json"))}
    assert rows["acme"]["kind"] == "third party"
    assert "A study of acme-qvlm." in qvlm("study", "--help")
    assert "--throws" in qvlm("study", "coins", "--help")
    given = ("--out", tmp_path / "s", "--chances", "0.5,0.8", "--seeds", "2", "--throws", "9")
    results = json.loads(qvlm("study", "coins", *given, "--json"))
    assert [point["chance"] for point in results["points"]] == [0.5, 0.8]
    assert (tmp_path / "s" / "report.html").is_file()
