"""What studies that train their own models ask about data; a study's options derive from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from qvlm_qiskit.recipes import data_name
from qvlm_qiskit.studies.grid_study import Option


@dataclass(frozen=True)
class DataOptions:
    """Which data a study trains and evaluates its models on.

    Attributes:
        data: Name, perhaps with a place.
        columns: Which columns hold what.
        strict: Whether a row that can't be used ends the study.
        image_size: Side of the images in pixels; by default the recipe's.
    """

    data: Annotated[
        str,
        Option(
            "Data set: NAME, or NAME:PLACE such as folder:pictures or table:captions.csv "
            "(docs/data.md)."
        ),
    ] = "digits"
    columns: Annotated[
        str | None,
        Option("Which columns hold what, such as image=photo,answer=species; see --data."),
    ] = None
    strict: Annotated[bool, Option("Stop at a row that can't be used; don't skip it.")] = False
    image_size: Annotated[
        int | None, Option("Side of the images in pixels; by default the recipe's.")
    ] = None

    @property
    def data_name(self) -> str:
        """The data set's whole name, with an absolute path.

        Raises:
            InputError: It is not of that form.
            UnknownNameError: There is no such data set.
        """
        return data_name(self.data, self.columns, strict=self.strict)

    def stored(self, plain: dict[str, Any]) -> dict[str, Any]:
        """The fields with the data's whole name in place of its parts.

        Raises:
            InputError: There is no such data.
        """
        kept = {name: value for name, value in plain.items() if name not in ("columns", "strict")}
        return {**kept, "data": whole_name(self.data_name)}


def whole_name(name: str) -> str:
    """A data set's name, which is refused where nothing lies at its place.

    A study asks this first: where the data has gone, a name that was relative is as it was given,
    so that it seems to be another data set than the folder was begun with.

    Raises:
        InputError: There is no such data.
    """
    from qvlm_qiskit.data.registry import find_data

    return find_data(name).name
