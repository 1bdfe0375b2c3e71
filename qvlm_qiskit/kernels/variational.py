"""Variational regressors, beside what kernels do: a feature map, trained rotations, a read-out."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import check_whole, plain_number
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels.checks import MOST, check_name, points, scaled, training_numbers
from qvlm_qiskit.kernels.kernel import FeatureMap, QuantumKernel, Scale, factors_of
from qvlm_qiskit.quantum.circuits import make_qnn, z_observables
from qvlm_qiskit.quantum.layer import QuantumLayer
from qvlm_qiskit.quantum.readings.fidelity import Machine

Array = npt.NDArray[np.float64]
READOUTS = ("parity", "linear")
LEAST_UNIT = np.finfo(np.float64).tiny


class VariationalRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A feature map, ``RealAmplitudes``, and expectation values as the answer.

    With the read-out "parity" it is Qiskit's variational quantum regressor: the answer is
    ⟨Z…Z⟩, and targets are mapped into [−1, 1], least to largest. With "linear" it is a small
    network: ⟨Z⟩ of every qubit and a trained linear map. Weights minimise the mean square error
    over all points by L-BFGS, on exact values.

    Attributes:
        module_: The torch module.
        loss_: Mean square error in training, in units of the mapped targets.
        trained_: How many numbers were trained.
    """

    def __init__(
        self,
        feature_map: FeatureMap = "havlicek",
        reps: int = 2,
        scale: Scale = 1.0,
        layers: int = 3,
        readout: Literal["parity", "linear"] = "parity",
        steps: int = 100,
        random_state: int | None = 0,
        backend: Machine | None = None,
    ) -> None:
        """Choose the circuit and its training.

        Args:
            feature_map: Name of a map, or a circuit.
            reps: Repetitions of a named map.
            scale: Points are multiplied by it.
            layers: Repetitions of ``RealAmplitudes``, which has one layer of rotations more.
            readout: "parity" or "linear".
            steps: Of L-BFGS, at most.
            random_state: Of the first weights.
            backend: Where predictions are measured; None: exactly.
        """
        self.feature_map = feature_map
        self.reps = reps
        self.scale = scale
        self.layers = layers
        self.readout = readout
        self.steps = steps
        self.random_state = random_state
        self.backend = backend

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> VariationalRegressor:  # noqa: N803
        """Learn from points ``(N, features)`` and a number for each.

        Raises:
            InputError: NaN, too few rows, numbers that are all the same or differ by less than
                2e-308, points that don't fit the map, or no steps.
            UnknownNameError: No such read-out.
        """
        check_name("read-out", self.readout, READOUTS)
        check_whole("steps", self.steps)
        check_whole("layers", self.layers, 0, MOST)
        if self.random_state is not None:
            check_whole("random_state", self.random_state, 0)
        rows, numbers = training_numbers(X, y)
        targets = torch.as_tensor(self._in_units(numbers))
        self.n_features_in_ = rows.shape[1]
        self.module_ = self._module(factors_of(self.scale, torch.as_tensor(rows)), rows.shape[1])
        self.loss_ = self._train(torch.as_tensor(rows), targets)
        self.trained_ = sum(one.numel() for one in self.module_.parameters())
        return self

    def predict(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        """A number for each point."""
        check_is_fitted(self)
        rows = torch.as_tensor(points(X, self.n_features_in_))
        layer = self.module_.layer
        with torch.no_grad():
            if self.backend is None:
                values = self.module_(rows)
            else:
                with layer.run_on(self.backend):
                    values = self.module_(rows)
        found: Array = self.centre_ + self.unit_ * values.numpy()
        return found

    def _in_units(self, numbers: Array) -> Array:
        """Targets as the read-out has them; chooses their centre and unit.

        Raises:
            InputError: They are all the same, or as good as that.
        """
        values, exponent = scaled(numbers)
        if self.readout == "parity":
            low, high = values.min(), values.max()
            centre, unit = (high + low) / 2, (high - low) / 2
        else:
            centre, unit = values.mean(), values.std()
        if np.ptp(values) == 0:
            raise InputError("all targets are the same number: there is nothing to learn")
        self.centre_, self.unit_ = np.ldexp(centre, exponent), np.ldexp(unit, exponent)
        if self.unit_ < LEAST_UNIT:
            raise InputError(
                f"targets that differ by {self.unit_:.0e} have too few digits: choose another unit"
            )
        found: Array = (values - centre) / unit
        return found

    def _module(self, scale: Tensor, features: int) -> _Regressor:
        encoding = QuantumKernel(self.feature_map, self.reps).circuit(features)
        qubits = encoding.num_qubits
        ansatz = real_amplitudes(qubits, reps=self.layers, parameter_prefix="weight")
        parity = [SparsePauliOp("Z" * qubits)]
        network = make_qnn(
            encoding.compose(ansatz),
            encoding.parameters,
            ansatz.parameters,
            parity if self.readout == "parity" else z_observables(qubits),
        )
        generator = np.random.default_rng(plain_number(self.random_state))
        layer = QuantumLayer(network, generator.uniform(-1, 1, network.num_weights))
        head = nn.Linear(qubits, 1) if self.readout == "linear" else None
        if head is not None:
            reach = qubits**-0.5
            head.weight.data = torch.as_tensor(generator.uniform(-reach, reach, (1, qubits)))
            head.bias.data = torch.zeros(1)
        return _Regressor(layer, head, scale).double()

    def _train(self, rows: Tensor, targets: Tensor) -> float:
        optimiser = torch.optim.LBFGS(
            self.module_.parameters(), max_iter=self.steps, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimiser.zero_grad()
            found: Tensor = (self.module_(rows) - targets).square().mean()
            found.backward()  # type: ignore[no-untyped-call]
            return found

        optimiser.step(loss)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            return float((self.module_(rows) - targets).square().mean())


class _Regressor(nn.Module):
    """Points → scaled → circuit → one number each."""

    scale: Tensor

    def __init__(self, layer: QuantumLayer, head: nn.Linear | None, scale: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.head = head
        self.register_buffer("scale", scale)

    def forward(self, rows: Tensor) -> Tensor:
        """``(N, features)`` → ``(N,)``."""
        read: Tensor = self.layer(rows * self.scale)
        found: Tensor = read if self.head is None else self.head(read)
        return found.squeeze(-1)
