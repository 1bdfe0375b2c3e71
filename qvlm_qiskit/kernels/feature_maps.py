"""Feature maps: circuits that make a state of a point, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import z_feature_map, zz_feature_map
from qiskit.exceptions import QiskitError

from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.kernels.checks import MOST, check_name


def havlicek(features: int, reps: int = 2, entanglement: str = "full") -> QuantumCircuit:
    r"""The map of Havlíček et al. (arXiv:1804.11326): one qubit per feature, all pairs coupled.

    Each repetition is H on every qubit and
    :math:`\exp(-i(\sum_j x_j Z_j + \sum_{j<k} (π-x_j)(π-x_k) Z_j Z_k))`: Qiskit's
    ``zz_feature_map``, whose signs are those of the complex conjugate states and change no
    fidelity. Angles repeat with a period of π in the one-qubit terms alone, so that points are
    meant to lie in [0, 2π].

    Args:
        features: Numbers of a point; with a single one there is no pair.
        reps: Repetitions.
        entanglement: Which pairs, as Qiskit names them: "full", "linear", "circular", …

    Raises:
        InputError: No feature, no repetition, more than 1,000 of either, or pairs that Qiskit does
            not know.
    """
    _require_sizes(features, reps)
    if not isinstance(entanglement, str):
        raise InputError(f"entanglement is a name such as 'full', got {arrived(entanglement)}")
    if features == 1:
        return z_feature_map(1, reps)
    try:
        return zz_feature_map(features, reps, entanglement)
    except QiskitError as error:
        raise InputError(f"entanglement {entanglement!r}: {error.message}") from error


def resource_efficient(features: int, reps: int = 2) -> QuantumCircuit:
    """Two features per qubit and a chain of CX, after arXiv:2507.03689.

    Each repetition turns every qubit by RY of one feature and RZ of the next, with a chain of CX
    between two repetitions; the last qubit of an odd number of features has no RZ. Which two
    rotations, the chain, and two repetitions are this package's reading of the paper. A chain
    behind the last repetition would be the same for all points, which no fidelity sees, and is left
    out.

    Args:
        features: Numbers of a point.
        reps: Repetitions.

    Raises:
        InputError: No feature, no repetition, or more than 1,000 of either.
    """
    _require_sizes(features, reps)
    x = ParameterVector("x", features)
    circuit = QuantumCircuit((features + 1) // 2, name="resource-efficient")
    for repetition in range(reps):
        if repetition:
            for qubit in range(circuit.num_qubits - 1):
                circuit.cx(qubit, qubit + 1)
        for index, angle in enumerate(x):
            (circuit.rz if index % 2 else circuit.ry)(angle, index // 2)
    return circuit


FEATURE_MAPS: Mapping[str, Callable[[int, int], QuantumCircuit]] = {
    "havlicek": havlicek,
    "resource-efficient": resource_efficient,
}
"""Name → function of the number of features and of repetitions."""


def feature_map(name: str, features: int, reps: int = 2) -> QuantumCircuit:
    """A feature map by its name.

    Args:
        name: One of ``FEATURE_MAPS``.
        features: Numbers of a point.
        reps: Repetitions.

    Raises:
        UnknownNameError: No such map.
        InputError: No feature, no repetition, or more than 1,000 of either.
    """
    check_name("feature map", name, FEATURE_MAPS)
    return FEATURE_MAPS[name](features, reps)


def _require_sizes(features: int, reps: int) -> None:
    check_whole("features", features, 1, MOST)
    check_whole("reps", reps, 1, MOST)
