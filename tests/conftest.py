"""What tests of several modules share: one small training, and photographs of folders."""

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

# Before torch is loaded: threads of small kernels wait for each other where several workers run.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
