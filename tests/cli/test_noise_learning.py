"""``qvlm noise learn``."""

import json
from pathlib import Path

import pytest

from qvlm_qiskit.noise_models import NoiseSpec
from tests.cli.runtime_machine import MACHINE
from tests.cli.tables import widest

MITIGATION = ("--mitigation", "pec(model=learned,samples=2,randomizations=2)")
SIMULATOR = ("--backend", "noisy:fake_torino", *MITIGATION)


def test_what_is_learned_is_written_shown_compared_and_not_bought_again(qvlm):
    options = (*SIMULATOR, "--store", "ledger", "--budget-executions", 60_000)
    dry = json.loads(qvlm("noise", "learn", "run", "l.json", *options, "--dry-run", "--json").out)
    done = qvlm("noise", "learn", "run", "l.json", *options, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert (dry["plan"], dry["layers"]) == (found["plan"], found["layers"])
    assert found["plan"]["executions"] == 54 * 2 * 512
    assert [one["layer"] for one in found["learned"]] == found["layers"]
    spec = NoiseSpec.load("l.json")
    assert sum(bool(gate.rates) for gate in spec.gates) == 2
    assert "learned gates" in qvlm("noise", "show", "l.json").out
    assert "rate of" in qvlm("noise", "diff", "fake_torino", "l.json").out
    again = qvlm("noise", "learn", "run", "l.json", *options, "--overwrite", "--json")
    assert json.loads(again.out)["costs"]["jobs"] == 0
    assert json.loads(again.out)["learned"] == found["learned"]
    listed = json.loads(qvlm("jobs", "list", "--store", "ledger", "--json").out)
    assert [run["state"] for run in listed] == ["done", "done"]
    table = qvlm("jobs", "list", "--store", "ledger").out
    assert ("noise" in table, widest(table) <= 80) == (True, True)
    said = qvlm("jobs", "results", found["run"], "--store", "ledger").out
    assert "the noise of 1 layer of noisy:fake_torino" in " ".join(said.split())


def test_a_simulator_is_asked_directly_without_a_ledger(qvlm):
    done = qvlm("noise", "learn", "run", "l.json", *SIMULATOR, "--only-learned")
    assert done.status == 0, done.err
    assert widest(done.out) <= 80
    assert len(NoiseSpec.load("l.json").qubits) == 2


@pytest.mark.slow
def test_a_model_is_trained_and_asked_on_what_was_learned(qvlm):
    assert qvlm("noise", "learn", "run", "l.json", *SIMULATOR, "--only-learned").status == 0
    train = ("--recipe", "tiny", "--steps", 2, "--batch-size", 2, "--train-samples", 40)
    trained = qvlm("train", *train, "--backend", "noisy:l.json", "--out", "aware")
    assert trained.status == 0, trained.err
    about = json.loads(Path("aware/run.json").read_text("utf-8"))["backend"]
    assert about["name"] == "noisy:l.json"
    assert about["noise"]["name"] == "fake_torino, learned"
    asked = ("--backend", "noisy:l.json", "--shots", 50, "--limit", 2, "--json")
    found = json.loads(qvlm("evaluate", "aware", *asked).out)
    assert found["total"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("l.txt", *SIMULATOR), "ends in .json"),
        (("file/l.json", *SIMULATOR), "can't write the noise"),
        (("l.json", "--backend", "noisy:fake_torino", "--mitigation", "readout"), "learns no"),
        (("l.json", *SIMULATOR, "--budget-executions", "5"), "go with --store"),
        (("l.json", *SIMULATOR, "--detach"), "go with --store"),
        (("l.json", *SIMULATOR, "--noise-scale", "2"), "--only-learned"),
        (("l.json", "--backend", "statevector"), "statevector"),
    ],
)
def test_bad_input_is_one_line(words, says, refused):
    assert says in refused("noise", "learn", "run", *words)


@pytest.mark.slow
def test_a_detached_learning_is_gone_on_with_by_the_same_command(qvlm, ledger):
    words = ("noise", "learn", "run", "l.json", *SIMULATOR, "--store", "ledger")
    left = qvlm(*words, "--detach")
    assert "is waiting; the same command goes on with it" in left.out
    assert not Path("l.json").exists()
    (run,) = json.loads(qvlm("jobs", "list", "--store", "ledger", "--json").out)
    said = qvlm("jobs", "resume", run["id"], "--store", "ledger")
    assert (said.status, "is the learning of noise for" in said.err) == (2, True)
    done = qvlm(*words)
    assert done.status == 0, done.err
    (run,) = json.loads(qvlm("jobs", "list", "--store", "ledger", "--json").out)
    assert (run["state"], len(ledger().find())) == ("done", 1)


@pytest.mark.slow
def test_hardware_is_learned_within_a_budget(qvlm, server, refused):
    words = ("noise", "learn", "run", "l.json", "--backend", MACHINE, *MITIGATION)
    assert "without --budget-seconds or" in refused(*words)
    assert "the budget is 1,000" in " ".join(
        qvlm(*words, "--budget-executions", 1000).err.split("\n")[-2:]
    )
    assert len(server.jobs) == 0
    done = qvlm(*words, "--budget-executions", 200_000, "--json")
    assert done.status == 0, done.err
    assert len(server.jobs) == json.loads(done.out)["plan"]["jobs"] == 1
    assert json.loads(done.out)["costs"]["rows_saved"] == 0
    assert NoiseSpec.load("l.json").snapshot.device == "fake_manila"
