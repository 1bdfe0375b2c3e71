"""Real data of scikit-learn as five angles, and the circuit that tells two classes apart.

The source (arXiv:2102.08949) classifies 1,000 restaurant reviews, which ship with no package; its
five principal components, its EfficientSU2 and its parity are kept, its data is not. How it loads
the five numbers is not said: here RY of the whitened components, in radians.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.studies.optimisers.options import QUBITS

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Two classes of points, those for training and the others.

    Attributes:
        train: Angles ``(N, 5)`` in radians.
        test: Likewise.
        train_signs: The class of each, -1 or 1.
        test_signs: Likewise.
    """

    train: Array
    test: Array
    train_signs: Array
    test_signs: Array


def load_problem(name: str, samples: int, seed: int) -> Problem:
    """A data set's points, split by a seed; scaling and components are of those for training.

    Args:
        name: breast-cancer, digits (3 against 8) or wine (the first cultivar against the others).
        samples: For training.
        seed: Of the split, which keeps the classes' shares.
    """
    features, signs = _LOADERS[name]()
    train, test, train_signs, test_signs = train_test_split(
        features, signs, train_size=samples, stratify=signs, random_state=seed
    )
    scale = make_pipeline(StandardScaler(), PCA(QUBITS, whiten=True, random_state=seed))
    return Problem(scale.fit_transform(train), scale.transform(test), train_signs, test_signs)


def linear_correct(problem: Problem) -> int:
    """How many test points logistic regression on the same five numbers gets right."""
    model = LogisticRegression().fit(problem.train, problem.train_signs)
    return int((model.predict(problem.test) == problem.test_signs).sum())


def classifier(repetitions: int) -> QuantumCircuit:
    """RY(x) on five qubits, then EfficientSU2; parameters are ``x`` and ``w``."""
    inputs = ParameterVector("x", QUBITS)
    ansatz = efficient_su2(QUBITS, reps=repetitions)
    weights = ParameterVector("w", ansatz.num_parameters)
    circuit = QuantumCircuit(QUBITS)
    for qubit, angle in enumerate(inputs):
        circuit.ry(angle, qubit)
    return circuit.compose(ansatz.assign_parameters(list(weights)))


def parity_layer(circuit: QuantumCircuit) -> QuantumLayer:
    """The parity ⟨Z…Z⟩ that the class is read from, as Qiskit's VQC does."""
    inputs, weights = _sorted(circuit, "x"), _sorted(circuit, "w")
    parity = SparsePauliOp("Z" * circuit.num_qubits)
    return QuantumLayer(make_qnn(circuit, inputs, weights, [parity]))


def fidelity_layer(circuit: QuantumCircuit) -> QuantumLayer:
    """|⟨ψ(x, w)|ψ(x, v)⟩|² of a point: the circuit and its inverse, and the outcome 0…0.

    Inputs are x, weights are w and v, one behind the other.
    """
    inputs, weights = _sorted(circuit, "x"), _sorted(circuit, "w")
    others = ParameterVector("v", len(weights))
    back = circuit.assign_parameters(dict(zip(weights, others, strict=True))).inverse()
    both = circuit.compose(back)
    network = make_qnn(
        both, inputs, [*weights, *others], read="probabilities", interpret=_is_other, output_shape=2
    )
    return QuantumLayer(network)


def _is_other(outcome: int) -> int:
    """0 for the outcome 0…0, 1 for every other."""
    return int(outcome != 0)


def _sorted(circuit: QuantumCircuit, letter: str) -> list[Any]:
    found = [one for one in circuit.parameters if one.name.startswith(f"{letter}[")]
    return sorted(found, key=lambda one: one.index)


def _breast_cancer() -> tuple[Array, Array]:
    data = load_breast_cancer()
    return data.data, np.where(data.target == 1, 1.0, -1.0)


def _digits() -> tuple[Array, Array]:
    data = load_digits()
    chosen = np.isin(data.target, (3, 8))
    return data.data[chosen], np.where(data.target[chosen] == 3, 1.0, -1.0)


def _wine() -> tuple[Array, Array]:
    data = load_wine()
    return data.data, np.where(data.target == 0, 1.0, -1.0)


_LOADERS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "wine": _wine,
}
