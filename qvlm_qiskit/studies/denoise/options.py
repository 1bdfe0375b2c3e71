"""The options of a denoising study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import data_name
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.data_options import whole_name
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import SMALLEST, check_numbers

LATENTS = ("quantum", "classical", "frozen", "none")
"""Autoencoders: their latent space is the circuit, its twin, a random circuit, or none of its own,
the sines of the angles alone."""
FILTERS = ("linear", "wiener")
"""Linear least squares: through as many numbers as the latent space has, and without a limit."""
NOISY = "noisy"
"""The pictures as they came, with which all others are compared."""
KINDS = (*LATENTS, *FILTERS)
LEAST = {
    "side": 8,
    "sigmas": SMALLEST,
    "learning_rate": SMALLEST,
    "seeds": 1,
    "epochs": 1,
    "batch_size": 2,
    "train_pictures": 2,
    "test_pictures": 2,
}
"""Windows of 7 pixels, of which similarity is a mean, fit into 8."""
MOST = {"side": 256}
MOST_FILTERED = 64
"""Pixels of a side that least squares are solved for: a matrix of 4096² numbers."""


@dataclass(frozen=True)
class DenoiseOptions:
    """What is compared.

    Attributes:
        data: Name of a data set whose pictures are taken; None for scikit-learn's digits.
        side: Pixels of a side, to which pictures are scaled.
        kinds: Of :data:`KINDS`.
        sigmas: Standard deviations of the noise; pixels are from 0 to 1.
        seeds: Of weights, noise and, for the digits, which pictures are held out.
        qubits: n, the width of the latent space.
        layers: Of its circuit.
        epochs: Passes over the training pictures, each with noise of its own.
        batch_size: Pictures of a step, at least.
        learning_rate: At the beginning; it falls to zero as a cosine.
        train_pictures: At most.
        test_pictures: At most.
    """

    data: Annotated[
        str | None,
        Option(
            "Data set whose pictures are taken, such as folder:pictures (docs/data.md); by default "
            "scikit-learn's digits of 8 × 8 pixels."
        ),
    ] = None
    side: Annotated[
        int, Option("Pixels of a side, a multiple of 4 up to 256; 64 with linear filters.")
    ] = 8
    kinds: Annotated[
        tuple[str, ...], Option(f"Separated by semicolons, of {', '.join(KINDS)}.")
    ] = KINDS
    sigmas: Annotated[
        tuple[float, ...], Option("Standard deviations of the noise; pixels are from 0 to 1.")
    ] = (0.1, 0.3, 0.5)
    seeds: Annotated[int, Option("Seeds of weights, noise and held-out digits.")] = 5
    qubits: Annotated[int, Option("Width of the latent space.")] = 8
    layers: Annotated[int, Option("Layers of its circuit.")] = 3
    epochs: Annotated[int, Option("Passes over the training pictures, with new noise each.")] = 60
    batch_size: Annotated[int, Option("Pictures of a step, at least.")] = 64
    learning_rate: Annotated[float, Option("At the beginning; it falls to zero.")] = 1e-2
    train_pictures: Annotated[int, Option("Pictures to train on, at most.")] = 1400
    test_pictures: Annotated[int, Option("Pictures held out, at most.")] = 360

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or says something twice.
            UnknownNameError: An unknown kind.
        """
        check_types(self)
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownNameError("kind", kind, KINDS)
        check_distinct("kinds", self.kinds)
        check_numbers(self, LEAST, MOST)
        if self.side > MOST_FILTERED and set(FILTERS) & set(self.kinds):
            raise InputError(
                f"side must be at most {MOST_FILTERED} with {' and '.join(FILTERS)}, whose matrix "
                f"has side⁴ numbers; got {self.side}: choose other --kinds"
            )
        self._check_model()

    def _check_model(self) -> None:
        from qvlm_qiskit.blocks.zoo.autoencoder import STRIDES
        from qvlm_qiskit.blocks.zoo.qaoa_latent import QAOALatentConfig

        QAOALatentConfig(qubits=self.qubits, repetitions=self.layers)
        if self.side % STRIDES:
            raise InputError(f"side must be a multiple of {STRIDES}, got {self.side}")

    @property
    def data_name(self) -> str | None:
        """The data set's whole name, with an absolute path; None for the digits.

        Raises:
            InputError: It is not of that form.
            UnknownNameError: There is no such data set.
        """
        return None if self.data is None else data_name(self.data)

    def stored(self, plain: dict[str, Any]) -> dict[str, Any]:
        """The fields with the data set's whole name.

        Raises:
            InputError: There is no such data.
        """
        return plain if self.data_name is None else {**plain, "data": whole_name(self.data_name)}
