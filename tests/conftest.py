"""What tests of several modules share: a small training, another distribution, photographs."""

import gc
import hashlib
import http.client
import inspect
import logging
import os
import random
import shutil
import subprocess
import sys
import traceback
import zlib
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import requests
from _pytest import logging as pytest_logging
from hypothesis import HealthCheck, given, settings, strategies
from numpy.random import bit_generator

from qvlm_qiskit.errors import MissingDependencyError

# Before torch is loaded: threads of small kernels wait for each other where several workers run.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What would make rich and typer write colours and other widths into files.
for variable in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(variable, None)


def stack_of_files(context: int = 0) -> list[inspect.FrameInfo]:
    """`inspect.stack` without the lines and modules of its frames.

    The Runtime client reads the file names of its callers' frames at every request. For every frame
    without a file, `inspect` looks through all modules: 60 ms a request as deep as below pytest.
    """
    frames = (frame for frame, _ in traceback.walk_stack(sys._getframe(1)))
    return [
        inspect.FrameInfo(f, f.f_code.co_filename, f.f_lineno, f.f_code.co_name, None, None)
        for f in frames
    ]


inspect.stack = stack_of_files


def catch_at_the_root(catching):
    """What pytest's own does without a look through thousands of loggers, six times a test.

    Those that hand nothing on to the root are libraries' own, and no test reads them.
    """
    root = logging.getLogger()
    if catching.level is not None:
        catching.handler.setLevel(catching.level)
        catching.orig_level = root.level
        root.setLevel(min(root.level, catching.level))
    root.addHandler(catching.handler)
    catching.attached_loggers.append(root)
    return catching.handler


if hasattr(pytest_logging.catching_logs, "attached_loggers"):  # older ones look at none
    pytest_logging.catching_logs.__enter__ = catch_at_the_root


# The same examples everywhere, and no limit of time: a busy machine is no fault.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@settings(max_examples=1)
@given(strategies.none())
def make_generator(_):
    """Hypothesis makes its generator, and looks for what refers to it: frozen objects hide that."""


LONGEST = ("jobs/test_kill", "test_readme", "jobs/test_promises", "training/test_processes",
           "training/test_soak", "training/test_saving", "test_plugins")  # fmt: skip
"""Files whose long tests take minutes one after the other: begun last, they would end last."""


def pytest_collection_modifyitems(items):
    """The longest files come first, so that several workers end at about the same time."""
    below = Path(__file__).parent
    first = {below / f"{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


def pytest_configure():
    """While tests and libraries are imported, there is no garbage to be looked for: 3 s."""
    gc.disable()


@contextmanager
def skipped_without_extra():
    """What asks for a package that is not installed here is skipped; one that is broken fails."""
    try:
        yield
    except MissingDependencyError as error:
        module = getattr(error.__cause__, "name", None) or error.package
        if find_spec(module.partition(".")[0]) is not None:
            raise
        pytest.skip(str(error))


ENTROPY = random.Random(0)
"""Gives NumPy what it asks the system for where a generator has no seed."""
bit_generator.randbits = ENTROPY.getrandbits


def seed_draws(name):
    """What is drawn from now on, by Python, NumPy and torch, follows from a name alone.

    ``torch.manual_seed`` looks for devices, which takes ten times as long as all of this.
    """
    seed = zlib.crc32(name.encode())
    random.seed(seed)
    ENTROPY.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)


@contextmanager
def draws_of_its_own(name):
    """Draws follow from a name meanwhile, and go on afterwards as if there had been none."""
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    entropy = ENTROPY.getstate()
    state = torch and torch.get_rng_state()
    seed_draws(name)
    try:
        yield
    finally:
        random.setstate(python)
        ENTROPY.setstate(entropy)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(state)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """What tests share is the same, whichever of them is the first to ask for it."""
    if fixturedef.scope == "function":
        return (yield)
    param = getattr(request, "param_index", 0)
    with draws_of_its_own(f"{fixturedef.baseid} {fixturedef.argname} {param}"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item, _last=[None]):  # noqa: B006
    """What earlier files have left is looked through for the last time.

    The Trainer collects garbage whenever it begins: 0.4 s each among all that the libraries hold.
    Looking for it at Python's own pace takes a twentieth of the tests' time.
    """
    if _last[0] is None:
        make_generator()
    if item.path != _last[0]:
        _last[0] = item.path
        gc.set_threshold(100_000, 50, 50)
        gc.enable()
        gc.collect()
        gc.freeze()
    seed_draws(item.nodeid)
    with skipped_without_extra():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with skipped_without_extra():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory):
    """IBM's library reads all certificates for every session: 20 ms. No test here uses TLS."""
    whole, end = Path(requests.certs.where()).read_text(), "-----END CERTIFICATE-----\n"
    one = tmp_path_factory.mktemp("authority") / "one.pem"
    one.write_text(whole[: whole.index(end) + len(end)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.certs, "where", lambda: str(one))
        yield


@pytest.fixture(scope="session")
def tiny_options():
    """Few steps at a high rate: enough that answers are words and not always the same one."""
    from qvlm_qiskit.training import TrainingOptions

    return TrainingOptions(
        recipe="tiny", steps=60, batch_size=32, learning_rate=1e-2, train_samples=200
    )


@pytest.fixture(scope="session")
def tiny_run(tiny_options, tmp_path_factory):
    """A trained run folder; tests that change it take ``run_copy``."""
    from qvlm_qiskit.training import train

    return train(tiny_options, tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture
def run_copy(tiny_run, tmp_path):
    """A copy of the trained run folder that a test may damage."""
    return Path(shutil.copytree(tiny_run.path, tmp_path / "copy"))


@pytest.fixture
def model(tiny_run):
    return tiny_run.model()


@pytest.fixture(scope="session")
def processor(tiny_run):
    return tiny_run.processor()


@pytest.fixture(scope="session")
def samples():
    """Forty held-out questions, eight of every kind."""
    from qvlm_qiskit.data import DigitCanvases

    return list(DigitCanvases("test", 40, 0))


@pytest.fixture(scope="session")
def plugins(tmp_path_factory):
    """The folder into which pip has installed the distribution of ``tests/plugins``."""
    source, target = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("target")
    shutil.copytree(Path(__file__).parent / "plugins", source)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    done = subprocess.run([*pip, "--target", target, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def lend_kernels():
    """Copies the kernels that were compiled here to a copy of the package: it has the same ones.

    They are kept under a digest of their sources; to compile them again takes a minute.
    """
    below = Path("quantum", "statevector", "cpu", "__pycache__")
    kept = Path(__file__).parents[1] / "qvlm_qiskit" / below

    def lend(package):
        (package / below).mkdir(exist_ok=True)
        for kernel in kept.glob("*.nb[ci]"):
            shutil.copy(kernel, package / below)

    return lend


@pytest.fixture
def debugged_here_only(monkeypatch):
    """From its first client that debugs on, IBM's library has every request's body redacted."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 0)
    monkeypatch.setattr(http.client, "print", print, raising=False)


@contextmanager
def forgetting(*registries):
    """What foreign names enter meanwhile is forgotten; this package's own stay, imported once."""
    before = [set(registry._items) for registry in registries]
    yield
    for registry, names in zip(registries, before, strict=True):
        for name in set(registry._items) - names - set(registry.own):
            del registry._items[name]


@contextmanager
def plugged_in(folder):
    """The distribution in that folder can be imported, and is forgotten in the end."""
    from qvlm_qiskit.backends.decoders.registry import DECODERS
    from qvlm_qiskit.backends.mitigation.names import parse_mitigation
    from qvlm_qiskit.mitigations import TECHNIQUES
    from qvlm_qiskit.recipes import BLOCKS, DATA_SETS, METRICS
    from qvlm_qiskit.studies.registry import STUDIES

    registries = (BLOCKS, DATA_SETS, DECODERS, METRICS, STUDIES, TECHNIQUES)
    with forgetting(*registries), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
    parse_mitigation.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "acme_qvlm"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def plugged(plugins):
    """The distribution of ``tests/plugins`` is installed for the tests of this module."""
    with plugged_in(plugins):
        yield


def photograph(folder):
    """Every path below a folder with a digest of its content; folders end in "/"."""
    return {
        str(path.relative_to(folder)) + ("/" if path.is_dir() else ""): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="session")
def tree():
    return photograph


class StoppedError(Exception):
    """What ``stop_at`` raises; no product code knows it."""


@pytest.fixture(scope="session")
def stopped():
    return StoppedError


@pytest.fixture(scope="session")
def stop_at():
    """Makes a progress tracker that raises when a stage whose name starts so has got so far."""

    def make(stage, done):
        @contextmanager
        def track(what, total):
            def report(now, note=""):
                if what.startswith(stage) and now >= done:
                    raise StoppedError(f"{what} at {now} of {total}")

            yield report

        return track

    return make


@pytest.fixture(scope="session")
def watch():
    """Makes a progress tracker that writes (stage, total, [reported, …]) into a list."""

    def make(seen):
        @contextmanager
        def track(what, total):
            reported = []
            seen.append((what, total, reported))
            yield lambda done, note="": reported.append(done)

        return track

    return make
