"""What can be refused without a model is refused before torch, transformers or Qiskit are imported.

Several command lines run one after the other in a process of their own, which tells after each what
it has imported: a clock would measure the machine that the tests run on.
"""

import json
import subprocess
import sys

import pytest

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import new_run
from tests.cli.test_help import OPTIONS

HEAVY = ("torch", "transformers", "qiskit", "qiskit_aer", "qiskit_ibm_runtime", "sklearn")
NUMBERS = ("numpy", "scipy", "pandas", "matplotlib", "PIL")
"""What a refusal may need and a help does not."""
SCRIPT = f"""
import contextlib, io, json, sys
from qvlm_qiskit.cli import main
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    loaded = [name for name in {(*HEAVY, *NUMBERS)!r} if name in sys.modules]
    print(json.dumps([status, out.getvalue(), err.getvalue(), loaded]))
"""


@pytest.fixture
def light(tmp_path, monkeypatch):
    """Runs command lines in one new process; (status, out, err) of each, which loaded nothing."""
    monkeypatch.chdir(tmp_path)

    def run(*lines, allowed=NUMBERS):
        asked = json.dumps([line.split() for line in lines])
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, timeout=120
        )
        assert found.returncode == 0, found.stderr
        told = [json.loads(line) for line in found.stdout.splitlines()]
        assert len(told) == len(lines)
        for line, (*_, loaded) in zip(lines, told, strict=True):
            assert set(loaded) <= set(allowed), f"qvlm {line} imports {loaded}"
        return [(status, out, err) for status, out, err, _ in told]

    return run


REFUSALS = {
    "a wrong path": {
        "evaluate nowhere": "no run folder at nowhere: train one with qvlm train --out nowhere",
        "evaluate file": "no run folder at file",
        "evaluate folder": "folder is not a run folder: it has no run.json",
        "evaluate other": "other is not a run folder: run.json is of another format",
        "preflight nowhere": "no run folder at nowhere",
        "submit nowhere --backend aer": "no run folder at nowhere",
        "ask nowhere.png --question what --run nowhere": "no run folder at nowhere",
        "caption nowhere.png --run nowhere": "no run folder at nowhere",
        "train --out file": "file is not a folder",
        "demo --out folder": "folder exists already",
        "jobs list --store nowhere": "there is no ledger at nowhere",
    },
    "an unknown name": {
        "evaluate run --backend aerr": "unknown backend 'aerr': did you mean 'aer'?",
        "evaluate run --backend fake_torinoo": "did you mean 'fake_torino'?",
        "evaluate run --backend noisy:fake_manilla": "did you mean 'noisy:fake_manila'?",
        "evaluate run --backend noisy:bitflip(0.1)": "unknown noise 'bitflip(0.1)'",
        "evaluate run --backend noisy:fake_manila+zzz(1)": "unknown noise 'zzz(1)'",
        "submit run --backend nonsense": "unknown backend 'nonsense'",
        "backends show noisy:": "unknown backend 'noisy:'",
        "noise show fake_torinoo": "unknown noise 'fake_torinoo': did you mean 'fake_torino'?",
        "noise diff fake_manila thermall(1)": "unknown noise 'thermall(1)'",
        "evaluate run --mitigation magic": "unknown mitigation 'magic'",
        "evaluate run --backend noisy:fake_manila --method exact": "unknown method 'exact'",
        "train --out new --recipe smal": "unknown recipe 'smal': did you mean 'small'?",
        "train --out new --blocks quantun": "unknown kind of block 'quantun'",
        "train --out new --vision-block qcn(bond=2)": "unknown block 'qcn': did you mean 'qcnn'?",
        "train --out new --text-block paqm:here": "a block is written as NAME or NAME(option=",
        "train --out new --backend noisy:fake_manilla": "did you mean 'noisy:fake_manila'?",
        "demo --out new --device fake_manilla": "fake_manila",
        "demo --out new --mitigation magic": "unknown mitigation 'magic'",
    },
    "an option that can't be": {
        "evaluate run --limit 0": "at least 1 sample, got 0",
        "evaluate run --batch 0": "a batch needs at least 1 question, got 0",
        "evaluate run --threads 0": "threads must be at least 1, got 0",
        "evaluate run --shots 0": "shots is 0",
        "evaluate run --shots 9 --precision 0.1": "shots or precision, not both",
        "evaluate run --backend aer --optimization-level 4": "optimization_level is 4",
        "evaluate run --backend aer --noise-scale 2": "'aer' takes no option noise_scale=",
        "evaluate run --backend ibm:x --method aer": "'ibm:x' takes no option method=",
        "submit run --backend aer --limit 0": "an evaluation needs at least 1 question, got 0",
        "train --out new --steps 0": "steps must be at least 1, got 0",
        "train --out new --learning-rate nan": "learning_rate must be positive and finite",
        "train --out new --backend fake_manila": "can't train on 'fake_manila' without --shots",
        "train --out new --noise-scale 2": "'statevector' takes no option noise_scale=",
    },
}


def test_a_refusal_imports_nothing_heavy(light, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"format": "qvlm-results"}', encoding="utf-8")
    lines = {line: says for refused in REFUSALS.values() for line, says in refused.items()}
    for (line, says), found in zip(lines.items(), light(*lines), strict=True):
        status, out, err = found
        assert (status, out) == (2, ""), line
        assert err.startswith("qvlm: "), err
        assert err.count("\n") == 1, err
        assert says in err, line


def test_reading_a_ledger_imports_no_model_and_no_circuits(light, tmp_path):
    store = JobStore(tmp_path / "jobs", create=True)
    request = {"run": "runs/demo", "backend": {"name": "aer"}, "options": {"limit": 3}}
    begun = new_run(store, request)
    lines = ("list", "list --json", "show last", f"show {begun.id} --json", "usage", "usage --json")
    for status, out, err in light(*(f"jobs {line} --store jobs" for line in lines)):
        assert (status, err) == (0, "")
        assert out
    ((status, _, err),) = light("jobs results last --store jobs")
    assert (status, err) == (2, f"qvlm: run {begun.id} is waiting and has no result yet\n")


def test_no_help_imports_what_its_command_does(light):
    for status, out, err in light(*(f"{name} --help" for name in OPTIONS), allowed=()):
        assert (status, err) == (0, "")
        assert out.startswith("Usage: ")


def test_the_table_of_backends_imports_nothing_heavy(light):
    for status, out, err in light("backends", "backends list --json"):
        assert (status, err) == (0, "")
        assert "fake_torino" in out or "qvlm backends list fake" in out
