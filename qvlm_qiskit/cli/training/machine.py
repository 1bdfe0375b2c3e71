"""Where `qvlm train` runs circuits, and the ledger that its rows go through."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.options import BudgetOptions

EXACT = ("statevector", "aer", "aer-gpu")
"""Backends without noise that give gradients."""
PAID = "ibm:"
"""How the names of machines begin whose rows are surely paid for."""


@dataclass(frozen=True, kw_only=True)
class TrainingMachine:
    """Where circuits run while a model is trained: its gradients have to come from there."""

    backend: Annotated[
        str,
        typer.Option(
            help="Where circuits run while training: statevector, aer, aer-gpu, or noisy:<noise> "
            "for exact values and gradients under that noise; with --shots, samples of aer, "
            "noisy:<noise>, fake_<device> or ibm:<machine>."
        ),
    ] = "statevector"
    shots: Annotated[
        int | None,
        typer.Option(
            help="Shots per measured circuit; by default exact values.", show_default=False
        ),
    ] = None
    gradient: Annotated[
        str,
        typer.Option(
            help="With --shots: param_shift (two rows or more per gate angle) or spsa (two rows "
            "per direction)."
        ),
    ] = "param_shift"
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Skip derivatives below their own standard error (param_shift)."
        ),
    ] = False
    directions: Annotated[int, typer.Option(help="Random directions per row with spsa.")] = 1
    noise_scale: common.NoiseScale = 1.0
    max_age_days: common.MaxAgeDays = None

    def check(self) -> None:
        """Refuse what can be refused before Qiskit or torch are imported.

        Raises:
            QVLMError: An unknown backend, or one that gives no gradients.
        """
        from qvlm_qiskit.backends.catalog import check_backend
        from qvlm_qiskit.backends.options import BackendOptions
        from qvlm_qiskit.errors import BackendError, InputError
        from qvlm_qiskit.sampled_gradients import check_sampled_gradient

        check_backend(self.backend, BackendOptions(shots=self.shots, **self._noise()))
        check_sampled_gradient(self.gradient, self.prune, self.directions)
        if self.backend == "ibm:best":
            raise InputError(
                "can't train on 'ibm:best': the best machine for a model's circuits may be another "
                "one at the next step; name one here, or ibm:least_busy"
            )
        if self.backend == "pauli-propagation":
            raise BackendError(
                "can't train on 'pauli-propagation': its values are cut off and have no gradient "
                "of their own. In Python, run_on(backend, 'param_shift') differentiates them"
            )
        if self.shots is None:
            if self.backend not in EXACT and not self.backend.startswith("noisy:"):
                raise BackendError(
                    f"can't train on {self.backend!r} without --shots: it samples, and every row "
                    "of a gradient is run with as many"
                )
            if (self.gradient, self.prune, self.directions) != ("param_shift", False, 1):
                raise InputError(
                    "--gradient, --prune and --directions go with --shots: exact values are "
                    "differentiated exactly"
                )
        elif self.backend == "statevector":
            raise InputError("--shots goes with 'aer', 'noisy:…' or 'fake_…', not 'statevector'")

    def open(self, seed: int) -> Any:
        """The backend to train on; None for the model's own statevectors."""
        if self.backend == "statevector":
            return None
        if self.shots is not None:
            options = {"shots": self.shots, **self._noise()}
        elif self.backend in EXACT:
            options = {}
        else:
            options = {"precision": 0, "dtype": "complex64", **self._noise()}
        return common.open_machine(self.backend, seed=seed, **options)

    def sampled(self) -> Any:
        """How samples are differentiated; None where values are exact."""
        from qvlm_qiskit.quantum import SampledGradient

        if self.shots is None:
            return None
        return SampledGradient(self.gradient, self.prune, samples=self.directions)  # type: ignore[arg-type]

    def _noise(self) -> dict[str, Any]:
        return {"noise_scale": self.noise_scale, "max_age_days": self.max_age_days}


@dataclass(frozen=True, kw_only=True)
class Kept(BudgetOptions):
    """Through which ledger a training goes; without it a simulator is asked directly."""

    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="Send every step through this ledger, one job each. A paid machine always goes "
            "through one: QVLM_STORE, or a folder of the user's.",
            show_default=False,
        ),
    ] = None
    blobs: common.Blobs = None
    store_group: common.Group = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the steps would cost, and stop.")
    ] = False

    def check(self, machine: TrainingMachine) -> None:
        """Refuse a training that nobody limits, and limits of one that costs nothing.

        Raises:
            BudgetError: A paid machine without a budget.
            InputError: Options of a ledger without one.
        """
        from qvlm_qiskit.errors import BudgetError, InputError

        paid, limit = machine.backend.startswith(PAID), self.budget()
        if paid and limit is None and not self.dry_run:
            raise BudgetError(
                f"can't train on {machine.backend!r} without --budget-seconds: its rows are paid "
                "for (--dry-run says what they cost)"
            )
        if self.store is not None and machine.shots is None:
            raise InputError("--store goes with --shots: exact values are not bought")
        if machine.backend in EXACT or machine.backend.startswith(("noisy:", "fake_")):
            if self.store is None and (limit is not None or self.dry_run):
                raise InputError(
                    "--budget-seconds, --budget-executions and --dry-run go with --store or a paid "
                    f"machine: {machine.backend!r} is asked directly"
                )

    def open(self, machine: Any) -> Any:
        """The ledger for an open machine; None where it is asked directly."""
        if self.store is None and (machine is None or machine.service is None):
            return None
        place = self.store or os.environ.get("QVLM_STORE")
        store = common.open_store(place, self.blobs, create=True, group=self.store_group)
        common.say(
            f"qvlm: jobs on {machine.name} are kept in the ledger at {store.place}", err=True
        )
        return store
