"""Data that a quantum kernel is made for: labels from a random observable of its own states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import unitary_group

from qvlm_qiskit.basics.numbers import check_positive, check_whole, plain_number
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.kernels.feature_maps import havlicek
from qvlm_qiskit.quantum.readings.final_states import states

MOST_FEATURES = 8
MOST_DRAWS = 1_000_000


class AdHocData(NamedTuple):
    """Points and labels.

    Attributes:
        points: ``(N, features)`` in [0, 2π).
        labels: ``(N,)``, 0 or 1, as many of each; N even.
    """

    points: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


def ad_hoc_data(count: int, features: int = 2, gap: float = 0.3, seed: int = 0) -> AdHocData:
    r"""The ad-hoc data of Havlíček et al. (arXiv:1804.11326).

    Points are uniform in [0, 2π); the label is the sign of
    :math:`⟨ψ(x)|V^† Z^{⊗n} V|ψ(x)⟩` with a random V (Haar) and the states of :func:`havlicek`, and
    points where its absolute value is at most ``gap`` are left out. So a linear function of the
    map's density matrices tells the classes apart by construction: such data say that a kernel
    is computed rightly, and nothing about other data.

    Args:
        count: Points, half of them of each class.
        features: Numbers of a point.
        gap: Between the classes.
        seed: Of V and the points.

    Raises:
        InputError: An odd count, too many features, a negative gap, or one so wide that no points
            are found beside it.
    """
    check_whole("count", count, 1, MOST_DRAWS)
    check_whole("features", features, 1, MOST_FEATURES)
    check_positive("gap", gap, zero=True)
    check_whole("seed", seed, 0)
    if gap >= 1:
        raise InputError(f"the gap is below 1, the largest value there is; got {arrived(gap)}")
    if count % 2:
        raise InputError(f"ad-hoc data has as many points of either class, got count={count}")
    rng = np.random.default_rng(plain_number(seed))
    circuit, turn = havlicek(features), unitary_group.rvs(2**features, random_state=rng)
    parity = np.array([(-1) ** i.bit_count() for i in range(2**features)])
    classes: list[list[npt.NDArray[np.float64]]] = [[], []]
    for _ in range(0, MOST_DRAWS, 1000):
        drawn = rng.uniform(0, 2 * np.pi, (1000, features))
        values = (np.abs(states(circuit, drawn).numpy() @ turn.T) ** 2) @ parity
        for sign, kept in zip((-1, 1), classes, strict=True):
            kept += list(drawn[sign * values > gap])
        if min(map(len, classes)) >= count // 2:
            found = np.concatenate([np.array(kept[: count // 2]) for kept in classes])
            order = rng.permutation(count)
            return AdHocData(found[order], np.repeat([0, 1], count // 2)[order])
    raise InputError(f"a gap of {gap} leaves too few points of one class: choose a smaller one")
