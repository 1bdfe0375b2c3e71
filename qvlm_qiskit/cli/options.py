"""The options that several commands share, each group as one object."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.errors import InputError

ALWAYS = ("exact-match",)
EXACTLY = ("exact-match", "next-token-accuracy", "perplexity")
"""What is measured unless metrics are named: on any machine, and on exact ones."""


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """A backend and what is asked of it; the fields' help texts are in `common`."""

    backend: common.BackendName = "statevector"
    shots: common.Shots = None
    precision: common.Precision = None
    mitigation: common.Mitigation = "none"
    noise_scale: common.NoiseScale = 1.0
    error_kinds: common.ErrorKinds = "all"
    method: common.Method = "auto"
    max_age_days: common.MaxAgeDays = None
    optimization_level: common.Level = 2
    layout_trials: common.LayoutTrials = None
    tiles: common.Tiles = "none"
    tile_factor: common.TileFactor = 2.0
    tile_spacing: common.TileSpacing = 1
    tile_repeats: common.TileRepeats = 0
    fractional: common.Fractional = False
    device: common.Device = None
    seed: common.Seed = None

    def check(self) -> None:
        """Refuse what can be refused before Qiskit or torch are imported.

        Raises:
            QVLMError: An unknown backend or mitigation, an option that it doesn't take, or a value
                out of range.
        """
        from qvlm_qiskit.backends.catalog import check_backend
        from qvlm_qiskit.backends.options import BackendOptions
        from qvlm_qiskit.mitigations import check_mitigation

        given = self._given(None)
        check_mitigation(given["mitigation"])
        check_backend(self.backend, BackendOptions(**{**given, "mitigation": "none"}))

    def check_techniques(self) -> None:
        """Refuse parameters of techniques, and techniques that don't go together.

        Their own files know, so this imports Qiskit, but no torch.

        Raises:
            MitigationError: One of them is wrong.
        """
        from qvlm_qiskit.backends.options import BackendOptions

        BackendOptions(**self._given(None))

    def open(self, seed: int, model: Callable[[], Any] | None = None) -> Any:
        """The backend; with another seed where none was given.

        Args:
            seed: That one.
            model: Gives the model that "ibm:best" chooses a machine for.
        """
        if self.backend == "ibm:best" and model is not None:
            return common.open_best(model(), **self._given(seed))
        return common.open_machine(self.backend, **self._given(seed))

    def _given(self, seed: int | None) -> dict[str, Any]:
        given = {key: value for key, value in asdict(self).items() if key != "backend"}
        return {
            **given,
            "mitigation": self.mitigation or "none",
            "tiles": int(self.tiles) if self.tiles.isdecimal() else self.tiles,
            "seed": seed if self.seed is None else self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which data, and how it is read; the rest of its name's parenthesis."""

    data: Annotated[
        str | None,
        typer.Option(
            help="Data set: NAME, or NAME:PLACE such as folder:pictures or table:captions.csv "
            "(docs/data.md); by default the run's, or digits.",
            show_default=False,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            help="Which columns hold what, such as image=photo,answer=species; other options of "
            "the data likewise.",
            show_default=False,
        ),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a row that can't be used; don't skip it.")
    ] = False

    def name(self) -> str | None:
        """The data set's whole name, with an absolute path; None where none was given.

        Raises:
            InputError: It is not of that form, or there are options without a name.
            UnknownNameError: There is no such data set.
        """
        from qvlm_qiskit.recipes import data_name

        if self.data is None:
            if self.columns is not None or self.strict:
                raise InputError("--columns and --strict say how --data is read: give both")
            return None
        return data_name(self.data, self.columns, strict=self.strict)


@dataclass(frozen=True, kw_only=True)
class QuestionOptions(DataOptions):
    """The held-out questions of an evaluation."""

    limit: Annotated[int, typer.Option(help="Number of held-out questions.")] = 200
    batch: common.Batch = 100
    max_new_tokens: common.MaxNewTokens = common.MAX_NEW_TOKENS

    def __post_init__(self) -> None:
        from qvlm_qiskit.recipes import MOST_SAMPLES

        if self.limit < 1:
            raise InputError(f"a data set needs at least 1 sample, got {self.limit}")
        if self.limit > MOST_SAMPLES:
            raise InputError(f"a data set has at most {MOST_SAMPLES:,} samples, got {self.limit:,}")
        if self.batch < 1:
            raise InputError(f"a batch needs at least 1 question, got {self.batch}")
        common.check_new_tokens(self.max_new_tokens)


@dataclass(frozen=True, kw_only=True)
class MetricOptions:
    """What the answers are judged by."""

    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeated, or joined by commas: exact-match, vqa-accuracy, bleu, cider, rouge-l, "
            "meteor, of generated answers; next-token-accuracy, perplexity, of the right answers' "
            "tokens, for one forward pass more. By default exact-match; qvlm evaluate has those "
            "two besides on exact machines.",
            show_default=False,
        ),
    ] = None
    caption_tokenizer: Annotated[
        str,
        typer.Option(
            help="Of bleu, cider, rouge-l and meteor: java (COCO's, with the extra captions), port "
            "(this package's), auto (java where it is there, else port); the output says which."
        ),
    ] = "auto"

    def names(self) -> tuple[str, ...]:
        """The metrics that are named.

        Raises:
            UnknownNameError: One of them is unknown; nothing heavy is imported to see that.
        """
        from qvlm_qiskit.recipes import METRICS

        found = [name.strip() for text in self.metric or () for name in text.split(",")]
        for name in found:
            METRICS.check(name)
        return tuple(found)

    def metrics(self, backend: Any, run: Any) -> Any:
        """The metrics that are named, or those that the machine's evaluations have.

        Raises:
            QVLMError: One of them needs what this machine has not.
        """
        from qvlm_qiskit.evaluation import Metrics
        from qvlm_qiskit.recipes import HYBRID

        words = backend.kind == "exact" and run.model_name == HYBRID
        default = EXACTLY if words else ALWAYS
        return Metrics(self.names() or default, self.caption_tokenizer)


@dataclass(frozen=True, kw_only=True)
class LedgerOptions:
    """Where the ledger is."""

    store: common.StorePlace = None
    blobs: common.Blobs = None
    store_group: common.Group = None

    def place(self) -> tuple[str, Path | None]:
        """The ledger's place and the folder of its files, as `JobStore` takes them."""
        return common.ledger_place(self.store), self.blobs

    def open(self, *, create: bool = False) -> Any:
        """Open the ledger.

        Raises:
            LedgerError: There is none yet, or it can't be used.
        """
        return common.open_store(self.store, self.blobs, create=create, group=self.store_group)

    def hint(self, ledger: Any) -> str:
        """What a command that goes on with a run needs behind its id."""
        return "" if self.store is None else f" --store {shlex.quote(ledger.place)}"


@dataclass(frozen=True, kw_only=True)
class BudgetOptions:
    """What all jobs of a run together may cost."""

    budget_seconds: common.BudgetSeconds = None
    budget_executions: common.BudgetExecutions = None

    def budget(self) -> Any:
        """The budget; None where nothing is limited.

        Raises:
            InputError: A limit below 0.
        """
        if self.budget_seconds is None and self.budget_executions is None:
            return None
        from qvlm_qiskit.jobs import Budget

        return Budget(self.budget_seconds, self.budget_executions)
