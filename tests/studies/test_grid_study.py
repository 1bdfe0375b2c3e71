"""Any study: its cells once each, whatever happens to the process."""

import importlib
import json
import signal
import subprocess
import sys

import pytest

from qvlm_qiskit.cli import main
from qvlm_qiskit.data import open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.grid_study import Execution, run_study
from qvlm_qiskit.studies.workers import StudyError
from tests.data import miniatures

DIES = """
import os, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from acme_qvlm import coins
from qvlm_qiskit.studies.grid_study import run_study

compute = coins.Coins.compute


def dies_in_the_fourth(self, cell):
    if cell == coins.Coin(0.7, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(self, cell)


coins.Coins.compute = dies_in_the_fourth
run_study(coins.Coins(coins.Options(), Path(sys.argv[2])))
"""


def numbers(results):
    """What a study found, without the time that it took."""
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in results["rows"]]
    return json.loads(json.dumps({**results, "rows": rows}))


@pytest.fixture
def make(coins, tmp_path):
    """Makes the study with some options, in a folder of this test."""

    def study(folder="s", **options):
        return coins.Coins(coins.Options(**options), tmp_path / folder)

    return study


@pytest.fixture
def computed(coins, monkeypatch):
    """The cells that are computed in this process from now on."""
    seen, real = [], coins.Coins.compute
    monkeypatch.setattr(coins.Coins, "compute", lambda s, c: (seen.append(c), real(s, c))[1])
    return seen


def lines(study):
    return (study.folder / "rows.jsonl").read_text("utf-8").splitlines()


@pytest.mark.slow
def test_a_study_that_was_killed_in_a_cell_goes_on_and_ends_like_any_other(
    coins, make, computed, tmp_path
):
    study = make()
    command = [sys.executable, "-c", DIES, str(tmp_path / "site"), str(study.folder)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    before = lines(study)
    assert len(before) == 3
    results = run_study(study)
    assert computed == [coins.Coin(0.7, seed) for seed in range(3)]
    assert lines(study)[:3] == before
    assert len({json.loads(line)["key"] for line in lines(study)}) == len(lines(study)) == 6
    assert numbers(results) == numbers(run_study(make("whole")))


def test_a_line_that_was_not_finished_is_computed_again(coins, make, computed):
    study = make()
    run_study(study)
    path = study.folder / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    computed.clear()
    run_study(study)
    assert computed == [coins.Coin(0.7, 2)]
    assert len(lines(study)) == 6


def test_a_finished_study_computes_nothing(make, computed):
    first = run_study(make())
    computed.clear()
    assert run_study(make()) == first
    assert computed == []


def test_a_folder_is_a_path_or_a_text(coins, make, tmp_path):
    options = coins.Options()
    assert coins.Coins(options, str(tmp_path / "s")) == make()
    for wrong in (None, 3, b"s"):
        with pytest.raises(InputError, match=r"^the study's folder must be a path, got "):
            coins.Coins(options, wrong)


def test_other_options_are_refused_unless_they_only_add_cells(coins, make, computed):
    run_study(make())
    computed.clear()
    with pytest.raises(InputError, match=r"was begun with throws = 100, not 200"):
        run_study(make(throws=200))
    assert computed == []
    run_study(make(chances=(0.5, 0.9), seeds=3))
    assert computed == [coins.Coin(0.9, seed) for seed in range(3)]
    assert run_study(make())["rows_of_other_grids"] == 3


def test_a_row_whose_limit_has_changed_is_computed_again(coins, make, computed, monkeypatch):
    first = run_study(make())
    computed.clear()
    monkeypatch.setattr(coins.Coins, "again", lambda self, row: row["seed"] == 1)
    again = run_study(make(chances=(0.5,)))
    assert computed == [coins.Coin(0.5, 1)]
    assert (len(again["rows"]), again["rows_of_other_grids"], len(lines(make()))) == (3, 3, 7)
    monkeypatch.undo()
    assert numbers(run_study(make())) == numbers(first)


def test_cells_share_the_data_that_they_read(coins, make, monkeypatch):
    opened, real = [], coins.Coins.compute

    def compute(study, cell):
        opened.append(open_data("digits", "test", 2))
        return real(study, cell)

    monkeypatch.setattr(coins.Coins, "compute", compute)
    run_study(make())
    assert len(opened) == 6 and all(one is opened[0] for one in opened)
    assert open_data("digits", "test", 2) is not opened[0]


@pytest.mark.slow
def test_two_processes_give_what_one_gives(make):
    one = run_study(make("one"))
    two = run_study(make("two"), Execution(processes=2))
    assert numbers(two) == numbers(one)
    assert sorted(json.loads(line)["key"] for line in lines(make("two"))) == sorted(
        row["key"] for row in one["rows"]
    )


def test_two_cells_that_are_the_same_are_refused(make):
    with pytest.raises(StudyError, match=r"the same: Coin\(chance=0.5, seed=0\)"):
        run_study(make(chances=(0.5, 0.5)))
    assert not make().folder.exists()


def test_options_and_cells_may_hold_paths_and_else_plain_data(coins, tmp_path):
    study = coins.Coins(coins.Options(throws=tmp_path), tmp_path / "s")
    assert study.stored_options()["throws"] == str(tmp_path)
    assert study.key(coins.Coin(tmp_path, 0)) == study.key(coins.Coin(str(tmp_path), 0))
    with pytest.raises(StudyError, match=r"plain data and paths, got \{1\}"):
        study.key(coins.Coin({1}, 0))


@pytest.mark.slow
def test_a_process_that_is_killed_is_said(coins, make, monkeypatch, tmp_path):
    (tmp_path / "site" / "deadly.py").write_text(
        "import os\n"
        "from acme_qvlm import coins\n"
        "class Deadly(coins.Coins):\n"
        "    def compute(self, cell):\n"
        "        os._exit(9)\n"
    )
    import deadly

    study = deadly.Deadly(coins.Options(), tmp_path / "d")
    with pytest.raises(StudyError, match=r"was killed.*the same command goes on"):
        run_study(study, Execution(processes=2))


def test_what_makes_no_execution_is_refused():
    with pytest.raises(InputError, match="processes must be at least 1"):
        Execution(processes=0)
    with pytest.raises(InputError, match="csv, parquet"):
        Execution(table="xls")


def test_the_report_shows_the_template_under_a_heading(make):
    study = make()
    run_study(study)
    page = (study.folder / "report.html").read_text("utf-8")
    assert "<h1>How often coins show heads, against a fair one.</h1>" in page
    assert page.count("<p>0.") == 2
    assert "%" in page.partition("<p>0.7")[2]


def test_a_template_may_be_a_file_beside_the_study(coins, make, tmp_path, monkeypatch):
    (tmp_path / "site" / "acme_qvlm" / "shown.html.j2").write_text(
        "<b>{{ study.grid.seeds }} seeds</b>"
    )
    monkeypatch.setattr(coins.Coins, "template", "shown.html.j2")
    run_study(make())
    assert "<b>3 seeds</b>" in (make().folder / "report.html").read_text("utf-8")


def test_a_foreign_study_is_a_command_with_its_own_options(coins, tmp_path, capfd):
    assert main(["study", "--help"]) == 0
    listed = capfd.readouterr().out
    assert "noise" in listed and "A study of acme-qvlm." in listed
    assert main(["study", "coins", "--help"]) == 0
    words = capfd.readouterr().out
    for option in ("--out", "--chances", "--seeds", "--throws", "--processes", "--format"):
        assert option in words
    assert "How often coins show heads" in words and "[default: 0.5,0.7]" in words
    out = tmp_path / "s"
    given = ["study", "coins", "--out", str(out), "--chances", "0.5,0.8", "--seeds", "2"]
    assert main([*given, "--json"]) == 0
    results = json.loads(capfd.readouterr().out)
    assert [point["chance"] for point in results["points"]] == [0.5, 0.8]
    assert results["differences"][0]["heads"]["seeds"] == 2
    assert (out / "rows.csv").read_text("utf-8").startswith("key,chance,seed,heads,seconds")
    assert main([*given, "--throws", "7"]) == 2
    assert "was begun with throws = 100, not 7" in " ".join(capfd.readouterr().err.split())


def test_help_imports_no_study(coins, tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from qvlm_qiskit.cli import main; "
        "main(['study', '--help']); "
        "heavy = {'acme_qvlm.coins', 'numpy', 'torch', 'qiskit', 'qvlm_qiskit.studies.noise'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "main(['study', 'noise', '--help']); heavy -= {'qvlm_qiskit.studies.noise'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "site")], check=True)


READS = """
from acme_qvlm import coins
from qvlm_qiskit.data import open_data


class Reads(coins.Coins):
    \"\"\"Coins that look at pictures.\"\"\"

    def compute(self, cell):
        open_data(self.options.throws, "train", 6, cell.seed)
        return {"chance": cell.chance, "seed": cell.seed, "heads": 0.5}
"""


@pytest.fixture
def reads(coins, tmp_path):
    """Makes a study whose cells read pictures of a folder; nothing is read before them."""
    (tmp_path / "site" / "reading.py").write_text(READS)
    for colour in range(6):
        miniatures.picture(tmp_path / "pictures" / "ab"[colour % 2] / f"{colour}.png", colour)
    reading = importlib.import_module("reading")

    def study(**options):
        data = f"folder:{tmp_path / 'pictures'}"
        return reading.Reads(coins.Options(throws=data, **options), tmp_path / "s")

    yield study
    del sys.modules["reading"]


@pytest.mark.parametrize(
    "processes", [1, pytest.param(2, marks=pytest.mark.slow)], ids=["one", "two"]
)
def test_data_that_has_changed_since_is_refused_whoever_reads_it(reads, tmp_path, processes):
    execution = Execution(processes=processes)
    run_study(reads(chances=(0.5,), seeds=1), execution)
    kept = lines(reads())
    miniatures.picture(tmp_path / "pictures" / "a" / "0.png", 99)
    with pytest.raises(InputError, match=r"^folder:.*pictures has changed since .*s was begun"):
        run_study(reads(chances=(0.5, 0.7), seeds=1), execution)
    assert lines(reads()) == kept
    miniatures.picture(tmp_path / "pictures" / "a" / "0.png", 0)
    assert len(run_study(reads(chances=(0.5, 0.7), seeds=1), execution)["rows"]) == 2


def test_what_finished_cells_have_read_is_read_again_before_there_are_more(
    reads, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        type(reads()), "rehearse", lambda self, cells: open_data(self.options.throws, "train", 6, 0)
    )
    run_study(reads(chances=(0.5,), seeds=2))
    record = tmp_path / "s" / "data.json"
    ((place, samples),) = json.loads(record.read_text()).items()
    assert sorted(samples) == ["train, 6, seed 0", "train, 6, seed 1"]
    changed = {place: {**samples, "train, 6, seed 1": "of another picture"}}
    record.write_text(json.dumps(changed))
    run_study(reads(chances=(0.5,), seeds=2))
    with pytest.raises(InputError, match=r"has changed since .*s was begun .train, 6, seed 1.:"):
        run_study(reads(chances=(0.5,), seeds=3))
    record.write_text(json.dumps({place: samples}))
    assert len(run_study(reads(chances=(0.5,), seeds=3))["rows"]) == 3


def test_a_file_that_an_option_names_is_data(coins, make, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one")
    run_study(make(throws=text, chances=()))
    text.write_text("two")
    with pytest.raises(InputError, match=r"^the file of throws has changed.*text\.txt"):
        run_study(make(throws=text, chances=()))
