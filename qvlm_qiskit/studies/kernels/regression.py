"""Regressors that ask circuits, beside their classical twins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from qvlm_qiskit.kernels import QuantumForestRegressor, QuantumSVR, VariationalRegressor
from qvlm_qiskit.studies.kernels.classification import GAUSSIAN_SCALES, QUANTUM_SCALES
from qvlm_qiskit.studies.kernels.data import numbers_of
from qvlm_qiskit.studies.kernels.options import KernelOptions

COSTS = (0.1, 1.0, 10.0)
FEW_SCALES = (0.01, 0.03, 0.1, 0.3)
"""Of forests and trained circuits, whose fits take longest."""
LEAVES = (1, 5)
LAYERS = 3
STEPS = 60
FOLDS = 3
MODELS = (
    "qsvr havlicek", "qsvr resource-efficient",
    "forest havlicek", "forest resource-efficient",
    "vqr", "qnn", "rbf-svr", "random forest", "tanh net", "ridge",
)  # fmt: skip
REFERENCE = "rbf-svr"


def regressed(data: str, model: str, options: KernelOptions, seed: int) -> dict[str, Any]:
    """One row: R² and root mean square error on points that were not seen.

    Targets are standardised; each model chooses among the values of :func:`candidates` by the same
    folds of the training points.
    """
    split = numbers_of(data, options.features, options.points, seed)
    estimator, values = candidates(model, options.features, seed)
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    search = GridSearchCV(
        TransformedTargetRegressor(estimator, transformer=StandardScaler()),
        {f"regressor__{name}": tried for name, tried in values.items()},
        cv=folds,
    )
    with warnings.catch_warnings():  # L-BFGS that stops at its last step
        warnings.simplefilter("ignore", ConvergenceWarning)
        answers = search.fit(split.points, split.targets).predict(split.test_points)
    return {
        "r2": float(r2_score(split.test_targets, answers)),
        "rmse": float(np.sqrt(mean_squared_error(split.test_targets, answers))),
        "trained_with": len(split.points),
        "chosen": {k.rpartition("__")[2]: float(v) for k, v in search.best_params_.items()},
    }


def candidates(model: str, features: int, seed: int) -> tuple[Any, Mapping[str, Any]]:
    """An estimator, and of its parameters the values that it chooses among.

    A tanh network has as many trained numbers as the QNN, to the nearest hidden unit.
    """
    kind, _, name = model.rpartition(" ")
    if kind == "qsvr":
        return QuantumSVR(name), {"scale": QUANTUM_SCALES, "C": COSTS}
    if kind == "forest":
        forest = QuantumForestRegressor(name, random_state=seed)
        return forest, {"scale": FEW_SCALES, "min_samples_leaf": LEAVES}
    others: dict[str, tuple[Any, Mapping[str, Any]]] = {
        "vqr": (_circuit("parity", seed), {"scale": FEW_SCALES}),
        "qnn": (_circuit("linear", seed), {"scale": FEW_SCALES}),
        "rbf-svr": (SVR(), {"gamma": [s * s / 2 for s in GAUSSIAN_SCALES], "C": COSTS}),
        "random forest": (
            RandomForestRegressor(max_features=1 / 3, random_state=seed),
            {"min_samples_leaf": (1, 2, 5, 10, 20)},
        ),
        "tanh net": (
            make_pipeline(StandardScaler(), _network(features, seed)),
            {"mlpregressor__alpha": (0.001, 0.01, 0.1, 1.0, 10.0)},
        ),
        "ridge": (Ridge(), {"alpha": (0.1, 1.0, 10.0, 100.0)}),
    }
    return others[model]


def trained_numbers(features: int) -> int:
    """Of the QNN: one angle for each qubit and layer, and a linear map."""
    return features * (LAYERS + 1) + features + 1


def hidden_units(features: int) -> tuple[int]:
    """Of the network nearest to :func:`trained_numbers`."""
    return (max(1, round((trained_numbers(features) - 1) / (features + 2))),)


def _network(features: int, seed: int) -> MLPRegressor:
    return MLPRegressor(
        hidden_layer_sizes=hidden_units(features),
        activation="tanh",
        solver="lbfgs",
        max_iter=STEPS,
        random_state=seed,
    )


def _circuit(readout: Any, seed: int) -> VariationalRegressor:
    return VariationalRegressor(
        layers=LAYERS, readout=readout, steps=STEPS, random_state=seed
    )  # fmt: skip
