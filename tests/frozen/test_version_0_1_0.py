"""What version 0.1.0 left on disk is read, gone on with, and answers as it did there.

Public names and commands only: where modules are is not what these tests are about.
"""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit import open_backend
from qvlm_qiskit.cli import main
from qvlm_qiskit.inference import continue_evaluation
from qvlm_qiskit.jobs import JobStore, Recording, State, recorded_backend
from qvlm_qiskit.runs import Run

FROZEN = Path(__file__).parent / "version-0.1.0"
EXPECTED = json.loads((FROZEN / "expected.json").read_text(encoding="utf-8"))
RUNS = EXPECTED["runs"]
GOING_ON = EXPECTED["going on"]
ENDED = [name for name in RUNS if name not in GOING_ON]
MACHINE = ("--backend", "noisy:fake_manila", "--shots", "100", "--seed", "1")
STORE = ("--store", "ledger")


def copied(place):
    """Both folders where a user has moved them to; the kept ones are never opened themselves.

    A request names the folder of its run, and no command changes that: whoever moves a run folder
    has to write its new place into the ledger, as is done here before anything opens it.
    """
    shutil.copytree(FROZEN / "run", place / "run")
    shutil.copytree(FROZEN / "ledger", place / "ledger")
    was, now = (json.dumps(f"{folder}/run") for folder in (EXPECTED["place"], place))
    with closing(sqlite3.connect(place / "ledger" / "ledger.sqlite")) as database, database:
        changed = database.execute("update runs set request = replace(request, ?, ?)", (was, now))
        assert changed.rowcount == len(RUNS)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A copy that is only read."""
    place = tmp_path_factory.mktemp("shared")
    copied(place)
    return place


@pytest.fixture
def reading(shared, monkeypatch):
    monkeypatch.chdir(shared)


@pytest.fixture
def changing(tmp_path, monkeypatch):
    copied(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store():
    """The ledger of the folder that the test is in."""
    with closing(JobStore("ledger", create=False)) as opened:
        yield opened


@pytest.fixture
def qvlm(capfd):
    """What a command prints, which must end well."""

    def run(*words):
        capfd.readouterr()
        status = main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert status == 0, err
        return out

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


def is_in(expected, found):
    """Whether everything expected is there; a later version may say more."""
    if isinstance(expected, dict):
        return all(name in found and is_in(part, found[name]) for name, part in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(is_in, expected, found))
    return expected == found


def answers_of(result):
    return [one["answer"] for one in result["questions"]]


def shown(qvlm, name):
    return json.loads(qvlm("jobs", "show", RUNS[name]["id"], *STORE, "--json"))


# The ledger as it was left --------------------------------------------------------------------


def test_the_kept_ledger_is_whole_and_has_every_state():
    assert {one["state"] for one in EXPECTED["submissions"]} == set(State)
    states = {run["state"] for run in RUNS.values()}
    assert states == {"waiting", "done", "failed", "cancelled"}
    assert not list((FROZEN / "ledger").glob("ledger.sqlite-*"))  # all of it is in the one file


def test_every_submission_has_its_columns_history_and_answers(reading, store):
    found = store.find()
    assert [one.id for one in found] == [one["id"] for one in EXPECTED["submissions"]]
    for one, expected in zip(found, EXPECTED["submissions"], strict=True):
        columns = dict(expected)
        history = [vars(event) for event in store.history(one.id)]
        assert is_in(columns.pop("history"), history), one.id
        digest = hashlib.sha256()
        for row in store.rows_of(one.id):
            digest.update(row.key.encode())
            if row.evs is not None:
                digest.update(row.evs.tobytes() + row.stds.tobytes())
        assert digest.hexdigest() == columns.pop("rows_sha256"), one.id
        assert is_in(columns, vars(one)), one.id


def test_every_run_is_listed_and_shown_as_it_was_left(reading, qvlm):
    listed = json.loads(qvlm("jobs", "list", *STORE, "--json"))
    assert [one["state"] for one in listed] == [run["state"] for run in RUNS.values()]
    table = qvlm("jobs", "list", *STORE)
    assert all(run["id"] in table for run in RUNS.values())
    jobs = {one["id"]: one for one in EXPECTED["submissions"]}
    for name, run in RUNS.items():
        found = shown(qvlm, name)
        assert found["request"].pop("run") == str(Path("run").resolve())
        request = {key: value for key, value in run["request"].items() if key != "run"}
        assert is_in({**run, "request": request}, found), name
        for one in found["submissions"]:
            expected = {k: v for k, v in jobs[one["id"]].items() if k != "rows_sha256"}
            assert is_in(expected, one), (name, one["id"])
    for name in ("done on ibm", "posting", "failed", "cancelled"):  # as tables
        assert RUNS[name]["id"] in qvlm("jobs", "show", RUNS[name]["id"], *STORE)


def test_raw_results_are_whole_and_say_what_the_ledger_says(reading, qvlm):
    assert qvlm("jobs", "verify", *STORE) == EXPECTED["verified"]
    assert not Path("ledger", "blobs", "damaged").exists()


def test_costs_are_what_they_were(reading, qvlm):
    assert is_in(EXPECTED["usage"], json.loads(qvlm("jobs", "usage", *STORE, "--json")))
    qvlm("jobs", "usage", *STORE)


@pytest.mark.parametrize("name", ENDED)
def test_a_run_that_is_done_gives_its_result_and_exports(name, reading, qvlm, store, tmp_path):
    run = RUNS[name]
    assert is_in(run["result"], json.loads(qvlm("jobs", "results", run["id"], *STORE, "--json")))
    assert continue_evaluation(store, run["id"]).result == run["result"]
    qvlm("jobs", "export", run["id"], *STORE, "--out", tmp_path / "kept")
    assert (tmp_path / "kept" / "SHA256SUMS").is_file()


# Going on with it -----------------------------------------------------------------------------


def test_the_same_questions_are_answered_by_the_ledger_alone(changing, qvlm, store):
    """Had the key of a row changed, everything that users have paid would be bought again."""
    before, done = (store.count_jobs(), store.count_rows()), RUNS["done"]["result"]
    again = json.loads(qvlm("submit", "run", *MACHINE, "--limit", 6, *STORE, "--json"))
    assert answers_of(again["result"]) == answers_of(done)
    costs = again["result"]["costs"]
    assert (costs["jobs"], costs["rows_saved"]) == (0, done["costs"]["rows"])
    assert (store.count_jobs(), store.count_rows()) == before


def test_rows_of_no_run_and_what_answers_nearby_ones_are_known(changing, store):
    before = store.count_jobs(), store.count_rows()
    angle, circuit = Parameter("a"), QuantumCircuit(1)
    circuit.ry(angle, 0)
    machine = open_backend("noisy:fake_manila", shots=100, seed=1)
    estimator = recorded_backend(machine, store, Recording(fresh="alone")).estimator()
    pub = (circuit, [["Z"], ["X"]], [[0.1], [1.0 + 1e-8], [2.0]])
    answer = estimator.run([pub]).result()[0]
    assert answer.data.evs.tolist() == EXPECTED["alone"]["evs"]
    assert answer.data.stds.tolist() == EXPECTED["alone"]["stds"]
    assert answer.metadata["record"]["source"] == "ledger"
    assert (store.count_jobs(), store.count_rows()) == before


def with_patience(names):
    """A second each: those whose way is a part of another's are left to the long tests."""
    later = {"intended", "queued", "queued for another", "completed", "refused", "cancelled"}
    later |= {"unknown", "running", "withdrawn"}
    return [pytest.param(n, marks=[pytest.mark.slow] if n in later else []) for n in names]


@pytest.mark.parametrize("name", with_patience(GOING_ON))
def test_a_run_goes_on_from_every_state_and_answers_as_there(name, changing, qvlm, store):
    expected, sent = GOING_ON[name], {one.id: one.posts for one in store.find()}
    done = json.loads(qvlm("jobs", expected["command"], RUNS[name]["id"], *STORE, "--json"))
    assert done["state"] == "done"
    assert answers_of(done["result"]) == expected["answers"]
    assert done["result"]["costs"]["rows"] == expected["rows"]
    jobs = shown(qvlm, name)["submissions"]
    assert [[one["state"], one["attempt"]] for one in jobs] == expected["jobs"]
    again = [one.id for one in store.find() if one.posts > max(sent.get(one.id, 1), 1)]
    # Only what was never accepted is sent again: the one that died before it could send.
    assert len(again) == (name == "posting")
    qvlm("jobs", "verify", RUNS[name]["id"], *STORE)


def test_a_job_that_another_run_waits_for_runs_on(changing, qvlm, store):
    first, second = (RUNS[name]["id"] for name in ("queued", "queued for another"))
    stopped = qvlm("jobs", "cancel", first, *STORE).splitlines()
    (job,) = (one for one in store.find() if one.run == first)
    assert stopped == [
        f"job {job.id} runs on: {second} waits for it, too",
        f"run {first} is cancelled",
    ]
    assert not job.state.final


# The run folder -------------------------------------------------------------------------------


def test_the_run_folder_opens_and_its_circuits_have_their_exact_values(reading):
    model = Run.open(Path("run")).model()
    assert set(model.quantum_layers) == set(EXPECTED["model"])
    for name, layer in model.quantum_layers.items():
        inputs = torch.linspace(-2, 2, 2 * layer.neural_network.num_inputs).reshape(2, -1)
        with torch.inference_mode():
            found = layer(inputs).numpy()
        np.testing.assert_allclose(found, EXPECTED["model"][name], atol=1e-5, rtol=0)


def test_the_model_answers_exactly_as_there(changing, qvlm):
    exact = ("--backend", "statevector", "--limit", 20, "--store", "new", "--json")
    assert answers_of(json.loads(qvlm("submit", "run", *exact))["result"]) == EXPECTED["answers"]
    found = json.loads(qvlm("evaluate", "run", "--limit", 20, "--json"))
    assert is_in(EXPECTED["evaluate"], found)
