"""The options of `open_backend`, checked in one place."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from qvlm_qiskit.backends.compilation.tile_rule import (
    DEFAULT_FACTOR,
    DEFAULT_SPACING,
    Count,
    TileRule,
)
from qvlm_qiskit.backends.mitigation.names import mitigation_name, parse_mitigation
from qvlm_qiskit.backends.mitigation.step import Step
from qvlm_qiskit.backends.pubs.shots import precision_of_shots
from qvlm_qiskit.basics.numbers import is_real, is_whole, use_plain_numbers
from qvlm_qiskit.errors import InputError, MitigationError, UnknownNameError
from qvlm_qiskit.noise_models.description.kinds import kinds_text, read_kinds

DTYPES = ("complex64", "complex128")
METHODS = ("auto", "density", "aer", "statevector", "matrix_product_state")

MAX_SHOTS = 10**9
"""Per circuit: beyond it no simulator here and no service answers."""


MAX_BOND = 2**20
"""Beyond it no matrix product state fits into a memory."""

MAX_PAULI_TERMS = 10**8
"""Memory for all of them is taken at once."""

MAX_TRIALS = 1000
"""Seeds of the transpiler; beyond it nothing is gained that was not found before."""


@dataclass(frozen=True)
class BackendOptions:
    """What a user may ask of a backend.

    Attributes:
        shots: Shots per measured circuit.
        precision: Target standard error instead of shots; 0 = exact values under noise.
        mitigation: Techniques in the form of `parse_mitigation`; kept in its canonical form.
        seed: Seed of simulation and compilation.
        optimization_level: The transpiler's, 0 to 3.
        layout_trials: Transpiler seeds of which the best compilation is taken; None lets the
            compiler choose.
        noise_scale: Factor on the strength of a simulated noise.
        error_kinds: Kinds of error that are kept of it, as `noise_models.read_kinds` reads them;
            kept in their order.
        device: Torch device of this package's engines ("cpu", "cuda").
        dtype: Torch dtype of this package's engines ("complex64", "complex128").
        method: How a backend simulates, one of `METHODS`.
        max_age_days: The oldest calibration that a noise may be read from.
        max_bond_dimension: The most Schmidt coefficients that a matrix product state keeps; None:
            as many as there are.
        truncation_threshold: Coefficients whose squares sum up to less are dropped from it; of
            Pauli strings, those whose magnitude is smaller. None: the simulator's own.
        max_terms: The most Pauli strings that are kept; None: as the backend says.
        tiles: On how many places of the device rows run at once: a number, "auto" or "none"; see
            `compilation.tiles.TileRule`, also for the next two.
        tile_factor: The largest ratio of a tile's estimated error to the best one's, for "auto".
        tile_spacing: The fewest idle qubits between two tiles.
        tile_repeats: Rows of every call and circuit that are asked on all of its tiles.
        fractional: Whether rx and rzz gates of any angle are used.
    """

    shots: int | None = None
    precision: float | None = None
    mitigation: str = "none"
    seed: int | None = None
    optimization_level: int = 2
    layout_trials: int | None = None
    noise_scale: float = 1.0
    error_kinds: str = "all"
    device: str | None = None
    dtype: str | None = None
    method: str = "auto"
    max_age_days: float | None = None
    max_bond_dimension: int | None = None
    truncation_threshold: float | None = None
    max_terms: int | None = None
    tiles: Count = "none"
    tile_factor: float = DEFAULT_FACTOR
    tile_spacing: int = DEFAULT_SPACING
    tile_repeats: int = 0
    fractional: bool = False

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        _check_whole("shots", self.shots, 1, MAX_SHOTS)
        _check_whole("seed", self.seed, 0, 2**63 - 1)
        _check_whole("optimization_level", self.optimization_level, 0, 3)
        _check_whole("layout_trials", self.layout_trials, 1, MAX_TRIALS)
        if self.shots is not None and self.precision is not None:
            raise InputError("give shots or precision, not both: precision is 1/√shots")
        if self.precision is not None and not (is_real(self.precision) and self.precision >= 0):
            raise InputError(
                f"precision is {self.precision!r}; it must be a number above 0 (or 0: exact values "
                "of a noisy:* backend)"
            )
        if self.precision and self.precision < 1 / math.sqrt(MAX_SHOTS):
            raise InputError(
                f"precision is {self.precision!r}; below {1 / math.sqrt(MAX_SHOTS):.2g} it needs "
                f"more than {MAX_SHOTS:,} shots per circuit"
            )
        if not is_real(self.noise_scale) or self.noise_scale < 0:
            raise InputError(f"noise_scale is {self.noise_scale!r}; it must be at least 0")
        object.__setattr__(self, "error_kinds", kinds_text(read_kinds(self.error_kinds)))
        if self.max_age_days is not None and not _positive(self.max_age_days):
            raise InputError(f"max_age_days is {self.max_age_days!r}; it must be above 0")
        _check_whole("max_bond_dimension", self.max_bond_dimension, 1, MAX_BOND)
        _check_whole("max_terms", self.max_terms, 1, MAX_PAULI_TERMS)
        threshold = self.truncation_threshold
        if threshold is not None and not (is_real(threshold) and 0 <= threshold < 1):
            raise InputError(
                f"truncation_threshold is {threshold!r}; it must be at least 0 and below 1"
            )
        if self.dtype not in (None, *DTYPES):
            raise UnknownNameError("dtype", str(self.dtype), DTYPES)
        if self.method not in METHODS:
            raise UnknownNameError("method", str(self.method), METHODS)
        if not isinstance(self.mitigation, str):
            raise MitigationError(
                f"mitigation is {self.mitigation!r}; it is a name such as 'readout+zne'"
            )
        canonical = mitigation_name(parse_mitigation(self.mitigation))
        object.__setattr__(self, "mitigation", canonical)
        self._check_tiles()
        self._check_fractional()

    def _check_fractional(self) -> None:
        """Refuse techniques that need gates of fixed angles."""
        if not isinstance(self.fractional, bool):
            raise InputError(f"fractional is {self.fractional!r}; it must be True or False")
        for step in self.steps if self.fractional else ():
            if not step.fractional:
                raise MitigationError(
                    f"mitigation {step.name!r} needs two-qubit gates of a fixed angle: leave out "
                    "fractional, or the mitigation"
                )

    def _check_tiles(self) -> None:
        """Refuse tiles that mean nothing, or that don't go with something else."""
        rule = self.tile_rule
        if rule.count == "none":
            if rule != TileRule():
                raise InputError(
                    "tile_factor=, tile_spacing= and tile_repeats= are for tiles='auto' or a number"
                )
            return
        if rule.count != "auto" and rule.factor != DEFAULT_FACTOR:
            raise InputError("tile_factor= is for tiles='auto': a number of tiles takes the best")
        if self.precision == 0:
            raise InputError("tiles divide executions; exact values (precision=0) have none")

    @property
    def tile_rule(self) -> TileRule:
        """How many tiles are taken, and which."""
        return TileRule(self.tiles, self.tile_factor, self.tile_spacing, self.tile_repeats)

    @property
    def sampling_precision(self) -> float | None:
        """The precision that shots or precision ask for; None when neither was given."""
        return self.precision if self.shots is None else precision_of_shots(self.shots)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The techniques of `mitigation`, from the device outwards."""
        return parse_mitigation(self.mitigation)

    def only(
        self,
        backend: str,
        accepted: Collection[str],
        mitigations: Collection[str],
        exact: bool = False,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse what a backend doesn't take.

        Args:
            backend: The backend's name, for the message.
            accepted: Names of the options that it takes; `mitigation` is checked by value.
            mitigations: Names of the techniques that it takes.
            exact: Whether it takes precision=0.
            reasons: Why it doesn't take some of the other techniques.

        Raises:
            InputError: Another option was given a value, or precision=0 where it means nothing.
            MitigationError: Another mitigation was asked for.
        """
        if self.precision == 0 and not exact:
            raise InputError(f"precision is 0; backend {backend!r} needs one above 0")
        self.only_options(backend, accepted)
        asked = list(self.steps)
        for step in self.steps:
            asked += [other for text in step.choices for other in parse_mitigation(text)]
        for step in asked:
            if step.name not in mitigations:
                reason = (reasons or {}).get(step.name)
                raise MitigationError(
                    f"backend {backend!r} offers no mitigation {step.name!r}"
                    + (f": {reason}" if reason else "")
                    + f" (it offers: {', '.join(mitigations)})"
                )

    def only_options(self, backend: str, accepted: Collection[str]) -> None:
        """Refuse options that a backend doesn't take; its mitigations are not looked at.

        Args:
            backend: The backend's name, for the message.
            accepted: Names of the options that it takes.

        Raises:
            InputError: Another option was given a value.
        """
        for field in fields(self):
            given = getattr(self, field.name) != field.default
            if given and field.name != "mitigation" and field.name not in accepted:
                raise InputError(
                    f"backend {backend!r} takes no option {field.name}= (it takes: "
                    f"{', '.join(sorted(accepted))})"
                )


def _check_whole(name: str, value: object, low: int, high: int | None) -> None:
    if value is None and name != "optimization_level":
        return
    if not is_whole(value) or value < low or (high is not None and value > high):  # type: ignore[operator]
        bound = f"at least {low}" if high is None else f"from {low} to {high}"
        if high is not None and high > 10:
            bound = f"at least {low} and at most {high:,}"
        raise InputError(f"{name} is {value!r}; it must be a whole number {bound}")


def _positive(value: object) -> bool:
    return is_real(value) and value > 0  # type: ignore[operator]
