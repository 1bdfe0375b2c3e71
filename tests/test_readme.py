"""README, docs and the program say the same; the README's commands do what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


MAKE, SETUP, *COMMANDS = blocks("sh")


def test_results_section_is_the_kept_results_json():
    make = load(ROOT / "docs" / "make_results.py")
    results = json.loads((ROOT / "benchmarks" / "results" / "demo.json").read_text("utf-8"))
    assert make.with_results(README, results) == README


def test_kept_results_reach_what_is_promised():
    results = json.loads((ROOT / "benchmarks" / "results" / "demo.json").read_text("utf-8"))
    assert results["exact"]["accuracy"] >= 0.9
    for baseline in results["baselines"].values():
        assert results["exact"]["low"] > 2 * baseline["high"]
    assert results["seconds"] <= 360
    assert results["peak_memory_mib"] <= 4096


@pytest.mark.slow
def test_cli_reference_is_the_help_of_today():
    make = load(ROOT / "docs" / "make_cli_reference.py")
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == make.reference()


def test_every_option_in_the_readme_exists():
    reference = (ROOT / "docs" / "cli.md").read_text("utf-8")
    commands = [line for block in blocks("sh") for line in block.splitlines() if "qvlm " in line]
    assert commands
    for line in commands:
        name = line.split("qvlm ", 1)[1].split()[0]
        section = reference.split(f"## `qvlm {name}", 1)[1]
        for option in re.findall(r"--[a-z-]+", line):
            assert option in section, f"{option} of {line}"


def test_every_file_in_the_readme_exists():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_every_room_that_the_readme_names_exists():
    named = re.findall(r"`([\w/.]+(?:\.py|/\w+))`", README)
    assert len(named) > 5
    homes = (ROOT, ROOT / "qvlm_qiskit")
    missing = [name for name in named if not any((home / name).exists() for home in homes)]
    assert [n for n in missing if not n.startswith(("runs/", "qvlm_qiskit.", "."))] == []


def test_readme_names_the_two_commands_and_ci_runs_the_tests():
    assert "make demo" in MAKE and "make test" in MAKE
    assert "-m venv" in SETUP and len(COMMANDS) > 1
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_layer_example_runs(capsys: pytest.CaptureFixture[str]):
    example = next(b for b in blocks("python") if "QuantumLayer(" in b)
    exec(compile(example, "README.md", "exec"), {})
    assert "torch.Size([3, 5, 2])" in capsys.readouterr().out


def test_gradient_example_runs():
    example = next(b for b in blocks("python") if "BatchedEstimatorGradient(" in b)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert float(names["layer"].weight.grad) == pytest.approx(-0.29552, abs=1e-4)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, lend_kernels: Callable[[Path], None]) -> Path:
    """A fresh clone in a clean home, set up by pip as the README says, after ``make demo``.

    pip finds the dependencies of the tests' own environment: to install them once more would take
    minutes. That it brings them itself is what `make newest` tries; that make sets an environment
    up from nothing is shown wherever a fresh clone is tested, first thing.
    """
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout to clone")
    folder = tmp_path_factory.mktemp("home") / "qvlm"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    make_environment, install = SETUP.splitlines()
    done_in(folder, make_environment)
    (site,) = folder.glob(".venv/lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    done_in(folder, install)
    for package in (folder, site):
        lend_kernels(package / "qvlm_qiskit")
    done_in(folder, "touch .venv/.ready && make demo")
    return folder


def done_in(folder: Path, line: str) -> str:
    """What a command of the README prints."""
    done = run_in(folder, "bash", "-c", line)
    assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
    return done.stdout


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE")
    passed = ("PIP_", "PYENV", "REQUESTS_", "OMP_")
    environment = {k: v for k, v in os.environ.items() if k in kept or k.startswith(passed)}
    # the tests' own virtual environment must not lend its interpreter or packages
    own = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join(
        p for p in environment["PATH"].split(os.pathsep) if p != own
    )
    environment["HOME"] = str(folder.parent)
    environment["PIP_NO_COMPILE"] = "0"  # pip's way to say so: Python compiles what is imported
    environment["PIP_CONSTRAINT"] = str(folder / "constraints.txt")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_demo_leaves_report_and_results(clone: Path):
    results = json.loads((clone / "runs" / "demo" / "results.json").read_text("utf-8"))
    assert results["exact"]["accuracy"] >= 0.9
    assert results["peak_memory_mib"] <= 4096
    assert (clone / "runs" / "demo" / "report.html").is_file()


@pytest.mark.slow
def test_second_make_does_no_setup(clone: Path):
    again = run_in(clone, "make", "-n", "test")
    assert "pip" not in again.stdout and "venv " not in again.stdout


@pytest.mark.parametrize("line", [line for block in COMMANDS for line in block.splitlines()])
@pytest.mark.slow
def test_readme_command_runs(clone: Path, line: str):
    printed = done_in(clone, line)
    assert printed.strip() or "train" in line


@pytest.mark.slow
def test_readme_model_example_runs(clone: Path):
    example = next(b for b in blocks("python") if "Run.open" in b)
    done = run_in(clone, ".venv/bin/python", "-c", example)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(re.findall(r"\d\.\d%", done.stdout)) >= 2


@pytest.mark.slow
def test_jobs_example_runs(clone: Path):
    text = (ROOT / "docs" / "jobs.md").read_text("utf-8")
    example = next(
        e
        for e in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        if "submit_evaluation" in e
    )
    done = run_in(clone, ".venv/bin/python", "-c", example)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 <= float(done.stdout) <= 1


@pytest.mark.slow
def test_report_renders_in_a_browser(clone: Path, tmp_path: Path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs Debian's chromium")
    picture = tmp_path / "report.png"
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    done = subprocess.run(
        [
            browser,
            *flags.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1000,3600",
            f"--screenshot={picture}",
            (clone / "runs" / "demo" / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    from PIL import Image

    with Image.open(picture) as image:
        assert image.size == (1000, 3600)
        # text, plots and digits: a page that failed to lay out is nearly one colour
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 200


def commands_of(page: Path) -> list[str]:
    """The commands whose output a page shows; all their options exist."""
    commands: list[str] = re.findall(r"^\$ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    reference = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for command in commands:
        words = command.split()
        name = " ".join(words[:3] if words[1] in ("noise", "jobs") else words[:2])
        section = reference.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for option in (word for word in words if word.startswith("--")):
            assert option in section, (name, option)
    return commands


def test_the_walkthrough_shows_the_commands_that_wrote_it():
    make = load(ROOT / "docs" / "make_walkthrough.py")
    assert commands_of(make.TARGET) == [command for _, _, command in make.STEPS]
    assert make.TARGET.read_text("utf-8").startswith(make.OPENING)


def test_the_page_about_jobs_shows_the_commands_that_wrote_it():
    make = load(ROOT / "docs" / "make_jobs_page.py")
    assert commands_of(make.PAGE) == [command for _, command in make.STEPS]


def test_the_page_about_jobs_names_tests_that_exist():
    text = (ROOT / "docs" / "jobs.md").read_text("utf-8")
    table = text.partition("## What is promised")[2].partition("\n## ")[0]
    folder = ROOT
    named = re.findall(r"`((?:tests/)?[\w/]+(?:\.py|/))`", table)
    assert len(named) > 8
    for name in named:
        path = ROOT / name if name.startswith("tests/") else folder / name
        assert path.exists(), name
        folder = path.parent


def test_ledger_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "jobs.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(next(e for e in examples if "recorded_backend" in e), "jobs.md", "exec"), names)
    assert names["store"].count_jobs() == 1  # type: ignore[attr-defined]
