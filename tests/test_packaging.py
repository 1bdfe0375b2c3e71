"""Folders, packages and links are one thing; and the wheel works far from the repository."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

import qvlm_qiskit

ROOT = Path(__file__).parents[1]
PACKAGE = "qvlm_qiskit"
GIVEN = ("backends", "noise_models", "jobs")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def folders():
    """Import name → folder of every package on disk; links are not followed."""
    found = {}
    for path in [ROOT / PACKAGE, *(ROOT / name for name in GIVEN)]:
        for marker in path.rglob("__init__.py"):
            below = marker.parent.relative_to(ROOT)
            if below.parts[:1] == (PACKAGE,) and set(below.parts[1:2]) & set(GIVEN):
                continue
            name = ".".join(below.parts)
            found[name if name.startswith(PACKAGE) else f"{PACKAGE}.{name}"] = below
    return found


def test_every_folder_is_a_listed_package_and_the_other_way_round(project):
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(folders())
    assert len(set(listed)) == len(listed)


def test_no_folder_of_sources_lacks_its_init():
    for path in [ROOT / PACKAGE, *(ROOT / name for name in GIVEN)]:
        for source in path.rglob("*.py"):
            assert (source.parent / "__init__.py").is_file(), source


def test_the_folders_outside_the_package_are_mapped_into_it(project):
    mapped = project["tool"]["setuptools"]["package-dir"]
    outside = {n: str(f) for n, f in folders().items() if f.parts[0] != PACKAGE}
    assert mapped == {PACKAGE: PACKAGE, **outside}


@pytest.mark.parametrize("name", GIVEN)
def test_the_links_are_relative_and_lead_to_the_folders(name):
    link = ROOT / PACKAGE / name
    assert link.is_symlink()
    assert link.readlink() == Path("..", name)
    assert link.resolve() == (ROOT / name).resolve()
    assert not (ROOT / name).is_symlink()


def test_there_is_a_link_for_every_mapped_folder_and_no_other():
    links = {path.name for path in (ROOT / PACKAGE).iterdir() if path.is_symlink()}
    assert links == set(GIVEN)


@pytest.mark.parametrize("name", GIVEN)
def test_a_folder_is_refused_under_its_bare_name(name):
    found = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 1
    assert f"ImportError: this package is imported as qvlm_qiskit.{name}, not as {name}" in (
        found.stderr
    )


def test_the_version_is_said_once(project):
    assert project["project"]["version"] == qvlm_qiskit.__version__
    assert importlib.metadata.version("qvlm-qiskit") == qvlm_qiskit.__version__


def test_the_console_script_is_the_command_line(project):
    assert project["project"]["scripts"] == {"qvlm": "qvlm_qiskit.cli:main"}
    points = importlib.metadata.entry_points(group="console_scripts", name="qvlm")
    from qvlm_qiskit.cli import main

    assert next(iter(points)).load() is main


def test_the_files_that_the_project_names_are_there(project):
    assert (ROOT / project["project"]["readme"]).is_file()
    for name in project["project"]["license-files"]:
        assert "Apache License" in (ROOT / name).read_text(encoding="utf-8")
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / folders()[package]).glob(pattern)), (package, pattern)
    assert (ROOT / PACKAGE / "py.typed").is_file()


def test_every_file_that_is_no_source_is_package_data(project):
    data = project["tool"]["setuptools"]["package-data"]
    for package, folder in folders().items():
        for path in (ROOT / folder).iterdir():
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert any(path.match(p) for p in data.get(package, ())), path


def requirement(line):
    return re.split(r"[<>=!~\[; ]", line)[0].lower()


def lower_bounds(project):
    """Name → lower bound of all that the package, its extras and its tests ask for directly."""
    extras = project["project"]["optional-dependencies"]
    tried = (lines for name, lines in extras.items() if name not in ("bench", "all"))
    lines = [*project["project"]["dependencies"], *(line for lines in tried for line in lines)]
    others = (line for line in lines if not line.startswith("qvlm-qiskit["))
    return {requirement(line): re.search(r">=([\d.]+)", line)[1] for line in others}


def test_the_lower_bounds_are_the_lowest_versions_that_are_tested(project):
    text = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    pins = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}
    bounds = lower_bounds(project)
    assert {name: pins.get(name) for name in bounds} == bounds


def test_nothing_brings_one_package_twice(project):
    """qiskit-aer-gpu holds the package of qiskit-aer, which every installation has."""
    extras = project["project"]["optional-dependencies"].values()
    lines = [*project["project"]["dependencies"], *(line for lines in extras for line in lines)]
    assert "qiskit-aer" in map(requirement, lines)
    assert "qiskit-aer-gpu" not in map(requirement, lines)
    one_for_another = (
        "pip uninstall --yes qiskit-aer qiskit-aer-gpu",
        "pip install qiskit-aer-gpu",
    )
    for name in ("Makefile", "docs/backends.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        first, second = (text.index(command) for command in one_for_another)
        assert first < second


def test_the_newest_versions_are_free_but_for_torch():
    """`make newest` tries what pip brings a user today; torch is the one that all tests have."""
    lines = (ROOT / "constraints-newest.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = [line for line in lines if line and not line.startswith("#")]
    assert torch in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "make newest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_gpl_package_is_an_extra(project):
    assert "mitiq" not in map(requirement, project["project"]["dependencies"])
    extras = project["project"]["optional-dependencies"]
    assert [n for n, lines in extras.items() if "mitiq" in map(requirement, lines)] == [
        "mitigation"
    ]


def test_every_imported_package_is_declared(project):
    """By the names under which the distributions are imported."""
    import ast

    named = {"scikit-learn": "sklearn", "pillow": "PIL", "qiskit-machine-learning": None}
    named["causal-learn"] = "causallearn"
    extras = project["project"]["optional-dependencies"]
    used = (
        "mitigation", "lora", "causal", "pretrained", "parquet", "propagation", "data",
        "tensor-networks",
    )  # fmt: skip
    lines = [*project["project"]["dependencies"], *(line for name in used for line in extras[name])]
    declared = {named.get(n) or n.replace("-", "_") for n in map(requirement, lines)}
    # requirements of transformers, Jinja2 and Numba, whose public interfaces hand out their objects
    declared |= {"tokenizers", "huggingface_hub", "markupsafe", "llvmlite"}
    # and what only a type checker reads
    declared |= {"_typeshed", PACKAGE, *sys.stdlib_module_names}
    found = set()
    for folder in folders().values():
        for path in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(node.module.split(".")[0])
    assert found <= declared, found - declared


def run(*command, cwd, **options):
    found = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, **options
    )
    assert found.returncode == 0, found.stderr or found.stdout
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources, so that nothing is left in the repository."""
    source = tmp_path_factory.mktemp("source") / "copy"
    unneeded = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "runs", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=unneeded)
    out = source.parent / "wheels"
    build = ("build", "--wheel", "--no-isolation", "--outdir", out, ".")
    run(sys.executable, "-m", *build, cwd=source)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A user's folder whose own modules have our generic names."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "jobs.py").write_text("raise RuntimeError('decoy')\n")
    for name in ("backends", "noise_models"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('decoy')\n")
    return folder


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory, lend_kernels):
    """The programs of an environment with the wheel in it.

    Its dependencies come from this environment by a path file: an editable installation's own path
    files are not read from there, so the repository is not what is imported.
    """
    home = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", home, cwd=home.parent)
    programs = home / "bin"
    install = ("install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    run(programs / "python", "-m", "pip", *install, cwd=home.parent)
    (site,) = home.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(paths)))
    lend_kernels(site / PACKAGE)
    return programs


@pytest.fixture(scope="module")
def clean():
    """The environment's variables without those that lead back to the repository."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in dropped}


@pytest.mark.slow
def test_the_wheel_holds_one_package_with_its_data(wheel, project):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert wheel.name == f"qvlm_qiskit-{qvlm_qiskit.__version__}-py3-none-any.whl"
    information = f"qvlm_qiskit-{qvlm_qiskit.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {PACKAGE, information}
    assert f"{information}/licenses/LICENSE" in names
    packaged = {
        f"{name.replace('.', '/')}/{path.name}"
        for name, folder in folders().items()
        for path in (ROOT / folder).iterdir()
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in names if name.startswith(f"{PACKAGE}/")} == packaged
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/studies/reports/study.html.j2"} <= packaged


@pytest.mark.slow
def test_the_wheel_says_what_it_is(wheel, project):
    with zipfile.ZipFile(wheel) as archive:
        information = f"qvlm_qiskit-{qvlm_qiskit.__version__}.dist-info"
        metadata = archive.read(f"{information}/METADATA").decode()
        scripts = archive.read(f"{information}/entry_points.txt").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    required = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra)", metadata, re.MULTILINE)
    assert sorted(map(str.lower, required)) == sorted(
        map(requirement, project["project"]["dependencies"])
    )
    assert "qvlm = qvlm_qiskit.cli:main" in scripts


@pytest.mark.slow
def test_the_installed_package_is_not_the_repository(installed, foreign, clean):
    script = "import qvlm_qiskit, qvlm_qiskit.jobs as j; print(qvlm_qiskit.__file__, j.__file__)"
    out = run(installed / "python", "-c", script, cwd=foreign, env=clean).stdout
    assert out.count(str(installed.parent)) == 2
    assert str(ROOT) not in out


@pytest.mark.slow
def test_the_installed_commands_work_beside_modules_of_the_same_names(installed, foreign, clean):
    assert "evaluate" in run(installed / "qvlm", "--help", cwd=foreign, env=clean).stdout
    listed = run(installed / "qvlm", "backends", "list", "torino", cwd=foreign, env=clean).stdout
    assert "fake_torino" in listed
    # "-m" puts the folder of the decoys first in the path
    module = (installed / "python", "-m", PACKAGE, "backends", "list", "torino")
    assert run(*module, cwd=foreign, env=clean).stdout == listed


@pytest.mark.slow
def test_the_installed_package_does_the_whole_work(installed, foreign, clean):
    """Every package is imported, and the report's template is found."""
    script = f"""
from pathlib import Path
from qvlm_qiskit.studies import DemoOptions, run_demo
from qvlm_qiskit.training import TrainingOptions

run_demo(
    DemoOptions(
        training=TrainingOptions(recipe="tiny", steps=2, train_samples=32),
        device="fake_manila",
        shots=20,
        test_samples=4,
        noisy_samples=2,
        runtime_samples=2,
        scales=(1.0,),
        rows=4,
    ),
    Path("{foreign}/demo"),
)
"""
    run(installed / "python", "-W", "error", "-c", script, cwd=foreign, env=clean)
    assert "</html>" in (foreign / "demo" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_users_own_modules_stay_his_own(installed, foreign, clean):
    for name in GIVEN:
        found = subprocess.run(
            [str(installed / "python"), "-c", f"import qvlm_qiskit.{name}; import {name}"],
            cwd=foreign,
            capture_output=True,
            text=True,
            env=clean,
        )
        assert "RuntimeError: decoy" in found.stderr
