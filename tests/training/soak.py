"""How a process grows while it trains and evaluates: memory over steps.

    python -m tests.training.soak train --steps 2000
    python -m tests.training.soak noisy --steps 300
    python -m tests.training.soak evaluate --steps 400

Printed is the memory of the process (its resident set) in MB after a tenth of the steps, after each
further tenth, and by how much the last one is more than the first. Memory that Python's garbage
collector would free is counted where it has not run.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from qvlm_qiskit import open_backend
from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.training import TrainingOptions, train


def resident():
    """This process's resident set in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Growth:
    """Notes the memory at every tenth of the steps."""

    def __init__(self, steps):
        self.every, self.seen, self.started = max(1, steps // 10), [], time.perf_counter()

    def __call__(self, done, note=""):
        if done % self.every == 0:
            self.seen.append(resident())

    @contextmanager
    def track(self, what, total):
        yield self if what == "training" else lambda done, note="": None


def training(steps, growth, folder, backend=None):
    options = TrainingOptions(
        recipe="tiny", steps=steps, batch_size=1, train_samples=32, checkpoint_every=steps // 5
    )
    return train(options, folder / "run", backend=backend, track=growth.track)


def noisy(steps, growth, folder):
    backend = open_backend("noisy:depolarizing(0.01)", precision=0, dtype="complex64")
    training(steps, growth, folder, backend)


def evaluating(steps, growth, folder):
    run = training(10, Growth(10), folder)
    model, processor = run.model(), run.processor()
    samples = list(DigitCanvases("test", 4, 0))
    for step in range(1, steps + 1):
        evaluate(model, processor, samples)
        growth(step)


WAYS = {"train": training, "noisy": noisy, "evaluate": evaluating}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    growth = Growth(options.steps)
    with tempfile.TemporaryDirectory() as name:
        WAYS[options.way](options.steps, growth, Path(name))
    print(" ".join(f"{megabytes:.1f}" for megabytes in growth.seen))
    print(f"grown by {growth.seen[-1] - growth.seen[0]:.1f} MB")
    print(f"{options.steps} steps in {time.perf_counter() - growth.started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
