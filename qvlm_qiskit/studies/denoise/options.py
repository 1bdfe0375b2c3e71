"""The options of a denoising study."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import data_name
from qvlm_qiskit.studies.checks import check_distinct
from qvlm_qiskit.studies.grid_study import Option

LATENTS = ("quantum", "classical", "frozen", "none")
"""Autoencoders: their latent space is the circuit, its twin, a random circuit, or none of its own,
the sines of the angles alone."""
FILTERS = ("linear", "wiener")
"""Linear least squares: through as many numbers as the latent space has, and without a limit."""
NOISY = "noisy"
"""The pictures as they came, with which all others are compared."""
KINDS = (*LATENTS, *FILTERS)


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
    side: Annotated[int, Option("Pixels of a side, a multiple of 4.")] = 8
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
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownNameError("kind", kind, KINDS)
        for name in ("kinds", "sigmas"):
            check_distinct(name, getattr(self, name))
        if not all(0 < sigma < math.inf for sigma in self.sigmas):
            raise InputError(f"sigmas must be positive and finite, got {list(self.sigmas)}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        least = {
            "seeds": 1, "epochs": 1, "batch_size": 2, "train_pictures": 2, "test_pictures": 2,
        }  # fmt: skip
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} must be at least {lowest}, got {getattr(self, name)}")
        self._check_model()

    def _check_model(self) -> None:
        from qvlm_qiskit.blocks.zoo.autoencoder import STRIDES
        from qvlm_qiskit.blocks.zoo.qaoa_latent import QAOALatentConfig

        QAOALatentConfig(qubits=self.qubits, repetitions=self.layers)
        if self.side < 8 or self.side % STRIDES:
            raise InputError(
                f"side is a multiple of {STRIDES} from 8 on, so that windows of 7 pixels fit; got "
                f"{self.side}"
            )

    @property
    def data_name(self) -> str | None:
        """The data set's whole name, with an absolute path; None for the digits.

        Raises:
            InputError: It is not of that form.
            UnknownNameError: There is no such data set.
        """
        return None if self.data is None else data_name(self.data)
