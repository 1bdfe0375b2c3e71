"""How many tiles of a device are taken, and which: read and checked without Qiskit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from qvlm_qiskit.basics.numbers import is_real, is_whole, use_plain_numbers
from qvlm_qiskit.errors import InputError

Count = int | Literal["auto", "none"]
DEFAULT_FACTOR = 2.0
DEFAULT_SPACING = 1
MAX_TILES = 10_000


@dataclass(frozen=True)
class TileRule:
    """How many tiles are taken, and which.

    Attributes:
        count: So many; "auto": all whose estimated error is within `factor` of the best one's;
            "none": a circuit stays where it was compiled for.
        factor: The largest ratio of a tile's estimated error to the best one's ("auto" only).
        spacing: The fewest idle qubits on any way from one tile to another.
        repeats: So many rows of every call and circuit are asked on all tiles that it uses, and
            what their values differ by is added to the standard errors; 0: none.
        crosstalk: Whether circuits on coupled qubits are known to disturb each other: the tiles of
            "auto" then have an idle qubit between them, whatever `spacing` says.
    """

    count: Count = "none"
    factor: float = DEFAULT_FACTOR
    spacing: int = DEFAULT_SPACING
    repeats: int = 0
    crosstalk: bool = False

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        named = self.count in ("auto", "none")
        if not named and not (is_whole(self.count) and 1 <= int(self.count) <= MAX_TILES):
            raise InputError(
                f"tiles is {self.count!r}; it must be 'auto', 'none' or a whole number from 1 to "
                f"{MAX_TILES:,}"
            )
        if not (is_real(self.factor) and self.factor >= 1):
            raise InputError(f"tile_factor is {self.factor!r}; it must be a number of at least 1")
        if not (is_whole(self.spacing) and 0 <= self.spacing <= MAX_TILES):
            raise InputError(
                f"tile_spacing is {self.spacing!r}; it must be a whole number from 0 to "
                f"{MAX_TILES:,}"
            )
        if not (is_whole(self.repeats) and 0 <= self.repeats <= MAX_TILES):
            raise InputError(
                f"tile_repeats is {self.repeats!r}; it must be a whole number from 0 to "
                f"{MAX_TILES:,}"
            )

    @property
    def distance(self) -> int:
        """The fewest idle qubits that are really kept between two tiles."""
        return max(self.spacing, 1) if self.count == "auto" and self.crosstalk else self.spacing

    def under(self, *, crosstalk: bool) -> TileRule:
        """The same rule where it is known whether coupled qubits disturb each other."""
        return replace(self, crosstalk=crosstalk)
