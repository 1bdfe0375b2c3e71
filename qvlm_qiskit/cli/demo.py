"""``qvlm demo``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped


@dataclass(frozen=True, kw_only=True)
class Stages:
    """What the demo runs, and how much of it."""

    device: Annotated[str, typer.Option(help="A fake IBM device.")] = "fake_torino"
    shots: Annotated[int, typer.Option(help="Shots per circuit.")] = 1000
    mitigation: Annotated[
        str, typer.Option(help="Compared with raw values; docs/mitigation.md has the names.")
    ] = "readout+zne"
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000
    test_samples: Annotated[int, typer.Option(help="Held-out questions.")] = 500
    noisy_samples: Annotated[int, typer.Option(help="How many also run under noise.")] = 200
    runtime_samples: Annotated[
        int, typer.Option(help="How many go through the Runtime client.")
    ] = 40
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0

    def check(self) -> None:
        """Refuse what can be refused before Qiskit or torch are imported.

        Raises:
            QVLMError: An unknown device or mitigation, or a number out of range.
        """
        from qvlm_qiskit.cli.options import MachineOptions
        from qvlm_qiskit.recipes import TrainingOptions

        TrainingOptions(steps=self.steps, seed=self.seed)
        MachineOptions(
            backend=f"noisy:{self.device}", shots=self.shots, mitigation=self.mitigation
        ).check()


@grouped
def demo(
    stages: Stages,
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = common.DEFAULT_RUN,
    threads: common.Threads = 1,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace the run folder if it exists and holds nothing else."
        ),
    ] = False,
) -> None:
    """Train, evaluate exactly and under noise, run inference, and write report.html."""
    from qvlm_qiskit.basics.files import check_new_folder
    from qvlm_qiskit.runs import DEMO_CONTENTS

    common.check_threads(threads)
    stages.check()
    check_new_folder(out, overwrite, DEMO_CONTENTS)
    common.use_threads(threads)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.studies import DemoOptions, run_demo
    from qvlm_qiskit.studies.reports.report import accuracy_rows
    from qvlm_qiskit.training import TrainingOptions

    options = DemoOptions(
        training=TrainingOptions(steps=stages.steps, seed=stages.seed),
        device=stages.device,
        mitigation=stages.mitigation,
        shots=stages.shots,
        test_samples=stages.test_samples,
        noisy_samples=stages.noisy_samples,
        runtime_samples=stages.runtime_samples,
    )
    screen = common.console()
    results = run_demo(options, out, overwrite=overwrite, track=on_console(screen))
    rows = [common.accuracy_row(label, record) for label, record, _ in accuracy_rows(results)]
    common.print_table("exact-match accuracy on held-out digits", common.ACCURACY_COLUMNS, rows)
    screen.print(
        f"{results['seconds']:.0f} s, {results['peak_memory_mib']} MiB: {out / 'report.html'}"
    )
